import { dimensionsMax } from "@medley/core";
import { InvalidArgumentError } from "commander";

/** For options of commander: each throws what the command line says. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`it must be a whole number from ${min} to ${max}.`);
  };
}

export function dimensions(text: string): number | "all" {
  const value = Number(text);
  if (text === "all") return text;
  if (Number.isInteger(value) && value >= 1 && value <= dimensionsMax) return value;
  throw new InvalidArgumentError(`it must be a whole number from 1 to ${dimensionsMax}, or all.`);
}

export function secondsBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`it must be from ${min} to ${max} seconds.`);
  };
}

export function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("it must be a number from 0 to 1.");
}

export function score(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("it must be a number.");
}

/** `FIELD=MAX`. */
export function groups(text: string): { field: string; max: number } {
  const [, field, max] = /^([^=]+)=([1-9]\d{0,3})$/.exec(text) ?? [];
  if (field !== undefined) return { field, max: Number(max) };
  throw new InvalidArgumentError("it must be a field and the most hits of a value, such as studio=2.");
}

export function address(text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? "")) return text;
  throw new InvalidArgumentError("it must be the address of a service, such as http://127.0.0.1:7400.");
}

/** Of an option that may be repeated. */
export function collect(value: string, all: string[]): string[] {
  return [...all, value];
}

/** `title,studio`, or `none`. */
export function fieldNames(text: string): readonly string[] {
  if (text === "none") return [];
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => name !== "")) return [...new Set(names)];
  throw new InvalidArgumentError("it must be names of fields with commas between them, or none.");
}
