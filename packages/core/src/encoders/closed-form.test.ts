import { strict as assert } from "node:assert";
import { describe, expect, test } from "vitest";
import { spaceOf } from "../collection.ts";
import type { SpaceDefinition } from "../config/definition.ts";
import type { FieldType } from "../fields.ts";
import { closedFormEncoder } from "./closed-form.ts";

type Definition = { readonly encoder: string } & Readonly<Record<string, unknown>>;

function encoderOf(definition: Definition, type: FieldType = "text") {
  const space = spaceOf("space", { ...definition, field: "field" } as unknown as SpaceDefinition, []);
  return closedFormEncoder(space, [{ name: "field", type }]);
}

const number: Definition = { encoder: "number", range: [1, 10] };
const category: Definition = { encoder: "category", values: ["a", "b"] };
const recency: Definition = { encoder: "recency", horizonDays: 365 };
const geo: Definition = { encoder: "geo" };

describe("the identity changes exactly when the vectors of records do", () => {
  test.each<[string, Definition, Definition, "same" | "changes"]>([
    ["number, another upper end", number, { ...number, range: [1, 11] }, "changes"],
    ["number, another lower end", number, { ...number, range: [2, 10] }, "changes"],
    ["number, another scale", number, { ...number, scale: "log" }, "changes"],
    ["number, the default scale said", number, { ...number, scale: "linear" }, "same"],
    ["number, prefer is the query's", number, { ...number, prefer: "high" }, "same"],
    ["number, the weight is the query's", number, { ...number, weight: 3 }, "same"],
    ["number, of another field", number, { ...number, field: "other" }, "same"],
    ["category, another value", category, { ...category, values: ["a", "c"] }, "changes"],
    ["category, another order", category, { ...category, values: ["b", "a"] }, "changes"],
    ["category, a dimension for others", category, { ...category, unknown: "other" }, "changes"],
    ["category, the default said", category, { ...category, unknown: "ignore" }, "same"],
    ["category, refusing others", category, { ...category, unknown: "reject" }, "same"],
    ["recency, another horizon", recency, { ...recency, horizonDays: 366 }, "changes"],
    ["recency, more harmonics", recency, { ...recency, harmonics: 33 }, "changes"],
    ["recency, the default harmonics said", recency, { ...recency, harmonics: 32 }, "same"],
    ["recency, the half-life is the query's", recency, { ...recency, halfLifeDays: 7 }, "same"],
    ["geo, the weight is the query's", geo, { ...geo, weight: -1 }, "same"],
  ])("%s", async (_, before, after, expected) => {
    const [first, second] = [encoderOf(before), encoderOf(after)];
    assert(first !== null && second !== null);
    expect(first.identity === second.identity ? "same" : "changes").toBe(expected);
    expect(first.identity).toMatch(/^[0-9a-f]{64}$/);
    expect((await vectors(before)) === (await vectors(after)) ? "same" : "changes").toBe(expected);
  });
});

test("every encoder but text needs no model, and says its dimensions", () => {
  expect(encoderOf({ encoder: "text" })).toBeNull();
  const vector = encoderOf({ encoder: "vector" }, "vector(7)");
  const all = [encoderOf(number), encoderOf(category), encoderOf(recency), encoderOf(geo), vector];
  expect(all.map((encoder) => encoder?.dimensions)).toEqual([2, 2, 64, 3, 7]);
  expect(all.some((encoder) => encoder?.usesModel)).toBe(false);
  expect(new Set(all.map((encoder) => encoder?.identity)).size).toBe(5);
});

test("an aborted call encodes nothing", async () => {
  const encoder = encoderOf(number);
  await expect(encoder?.encode([1], AbortSignal.abort())).rejects.toThrow("abort");
  await expect(encoder?.encodeQuery(1, AbortSignal.abort())).rejects.toThrow("abort");
});

const samples: Record<string, readonly unknown[]> = {
  number: [1, 2.5, 9],
  category: ["a", "b", ["a", "b"], { a: 0.2, b: 0.5 }, []],
  recency: [0, 1_700_000_000_000],
  geo: [{ lat: 52.1, lon: 4.3 }],
};

async function vectors(definition: Definition): Promise<string> {
  const results = await encoderOf(definition)?.encode(samples[definition.encoder] as readonly unknown[]);
  return JSON.stringify(results?.map((result) => (result.ok ? [...result.value] : result.failure)));
}
