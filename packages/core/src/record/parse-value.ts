import type { Field } from "../collection.ts";
import { type FieldValue, vectorDimensions } from "../fields.ts";
import { fail, type Result, succeed } from "../result.ts";
import { parseContent } from "./content.ts";
import { isObject, kindOf, show, textProblem } from "./describe-value.ts";
import { parseEdges } from "./parse-edges.ts";
import { parseSeries } from "./parse-series.ts";
import { parseTimestamp } from "./parse-timestamp.ts";

/** A value's problem in words; the caller adds which record and field. */
export type ParsedValue = Result<FieldValue | null, string>;

export const textCharsMax = 1_000_000;
const categoryCharsMax = 1_000;
const categoriesMax = 1_000;

/**
 * Reads one field's value as JSON gives it. With `textual` (CSV, command line) a string may stand for any type: `1999`,
 * `a|b` for categories and edges, `52.1,4.3` for a place, JSON for shares, vectors, series and weighted edges; an empty string is a missing value.
 * `null` and `undefined` are missing.
 */
export function parseValue(field: Field, input: unknown, textual: boolean): ParsedValue {
  if (input === null || input === undefined || (textual && input === "")) return succeed(null);
  if (vectorDimensions(field.type) !== undefined)
    return parseVector(field.type, fromText(input, textual, jsonOf));
  switch (field.type as Exclude<typeof field.type, `vector(${number})`>) {
    case "text":
      return parseText(input, textCharsMax);
    case "image":
    case "audio":
      return parseContent(input);
    case "category":
      return parseText(input, categoryCharsMax);
    case "categories":
      return parseCategories(fromText(input, textual, listOf));
    case "shares":
      return parseShares(fromText(input, textual, jsonOf));
    case "number":
      return parseNumber(fromText(input, textual, numberOf));
    case "timestamp":
      return parseTimestamp(fromText(input, textual, epochOf));
    case "geo":
      return parseGeo(fromText(input, textual, placeOf));
    case "edges":
      return parseEdges(fromText(input, textual, edgesOf));
    case "series":
      return parseSeries(fromText(input, textual, jsonOf));
  }
}

function fromText(input: unknown, textual: boolean, read: (text: string) => unknown): unknown {
  return textual && typeof input === "string" ? read(input.trim()) : input;
}

function numberOf(text: string): unknown {
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : text;
}

function epochOf(text: string): unknown {
  return /^-?\d{5,}$/.test(text) ? Number(text) : text;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function listOf(text: string): unknown {
  if (text.startsWith("[")) return jsonOf(text);
  return text
    .split("|")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function edgesOf(text: string): unknown {
  return text.startsWith("{") ? jsonOf(text) : listOf(text);
}

function placeOf(text: string): unknown {
  if (text.startsWith("{")) return jsonOf(text);
  const [lat, lon, ...rest] = text.split(",").map((part) => numberOf(part.trim()));
  return rest.length === 0 ? { lat, lon } : text;
}

function parseText(input: unknown, charsMax: number): ParsedValue {
  if (typeof input !== "string") return fail(`must be a string, not ${kindOf(input)}`);
  if (input.length > charsMax)
    return fail(`has ${input.length} characters, at most ${charsMax} are taken; cut it`);
  const problem = textProblem(input);
  return problem === undefined ? succeed(input) : fail(problem);
}

function parseCategories(input: unknown): ParsedValue {
  if (!Array.isArray(input)) return fail(`must be a list of strings, not ${kindOf(input)}`);
  if (input.length > categoriesMax)
    return fail(`has ${input.length} entries, at most ${categoriesMax} are taken`);
  for (const entry of input) {
    const parsed = parseText(entry, categoryCharsMax);
    if (!parsed.ok) return fail(`has an entry that ${parsed.failure}`);
  }
  return succeed(input as string[]);
}

function parseShares(input: unknown): ParsedValue {
  if (!isObject(input)) return fail(`must be an object of category to share, not ${kindOf(input)}`);
  const entries = Object.entries(input);
  if (entries.length > categoriesMax)
    return fail(`has ${entries.length} entries, at most ${categoriesMax} are taken`);
  for (const [name, share] of entries) {
    const problem =
      name.length > categoryCharsMax ? `is over ${categoryCharsMax} characters` : textProblem(name);
    if (problem !== undefined) return fail(`has a category that ${problem}`);
    if (typeof share !== "number" || !Number.isFinite(share) || share < 0) {
      return fail(
        `gives ${JSON.stringify(name)} the share ${show(share)}; a share is a number of at least 0`,
      );
    }
  }
  return succeed(input as Record<string, number>);
}

function parseNumber(input: unknown): ParsedValue {
  if (typeof input !== "number") return fail(`must be a number, not ${kindOf(input)}`);
  return Number.isFinite(input) ? succeed(input) : fail(`is ${input}; a number must be finite`);
}

function parseGeo(input: unknown): ParsedValue {
  if (!isObject(input)) return fail(`must be {"lat": …, "lon": …}, not ${kindOf(input)}`);
  const { lat, lon } = input;
  if (typeof lat !== "number" || !(Math.abs(lat) <= 90))
    return fail(`has the latitude ${show(lat)}; it goes from -90 to 90`);
  if (typeof lon !== "number" || !(Math.abs(lon) <= 180))
    return fail(`has the longitude ${show(lon)}; it goes from -180 to 180`);
  return succeed({ lat, lon });
}

function parseVector(type: string, input: unknown): ParsedValue {
  const dimensions = vectorDimensions(type);
  if (!Array.isArray(input)) return fail(`must be a list of ${dimensions} numbers, not ${kindOf(input)}`);
  if (input.length !== dimensions) return fail(`has ${input.length} numbers, but the field is ${type}`);
  const wrong = input.findIndex((x) => typeof x !== "number" || !Number.isFinite(Math.fround(x)));
  if (wrong >= 0)
    return fail(`has ${show(input[wrong])} at position ${wrong}; every entry must be a finite number`);
  if (input.every((x) => Math.fround(x) === 0))
    return fail("is all zero: it has no direction; leave it out instead");
  return succeed(input as number[]);
}
