import { strict as assert } from "node:assert";
import type { OnnxAttribute } from "@medley/models/onnx";

/** Attributes of a node as they are written down: whole numbers are ONNX's ints, `{ float }` its floats. */
export type AttributeValue = number | string | readonly number[] | { readonly float: number };
export type Attributes = Readonly<Record<string, AttributeValue>>;

export function onnxAttributes(attributes: Attributes): OnnxAttribute[] {
  return Object.entries(attributes).map(([name, value]): OnnxAttribute => {
    if (typeof value === "number") {
      assert(Number.isInteger(value), `attribute ${name} is no whole number`);
      return { name, type: 2, i: BigInt(value) };
    }
    if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) };
    if ("float" in value) return { name, type: 1, f: value.float };
    return { name, type: 7, ints: value.map(BigInt) };
  });
}

export class NodeAttributes {
  readonly #byName: ReadonlyMap<string, OnnxAttribute>;

  constructor(attributes: readonly OnnxAttribute[]) {
    this.#byName = new Map(attributes.map((attribute) => [attribute.name, attribute]));
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }
  int(name: string, absent: number): number {
    const value = this.#byName.get(name)?.i;
    return value === undefined ? absent : Number(value);
  }
  ints(name: string): readonly number[] | undefined {
    return this.#byName.get(name)?.ints?.map(Number);
  }
  float(name: string, absent: number): number {
    return this.#byName.get(name)?.f ?? absent;
  }
  string(name: string, absent: string): string {
    const value = this.#byName.get(name)?.s;
    return value === undefined ? absent : new TextDecoder().decode(value);
  }
}
