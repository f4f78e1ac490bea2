import type { SpaceDefinition } from "@medley/core";
import { expect, test } from "vitest";
import { candidateBytes, comparingBytes, processBytes, recordsThatFit } from "./memory-need.ts";

const comparison = { queries: 0, spaces: 4, dimensions: 384 };

test("of two numbers of records beside each other the one fits and the other does not", () => {
  const bytesMax = processBytes + comparingBytes({ ...comparison, records: 3_000 });
  const asked = { recordsMax: 20_000, recordsMin: 40 };
  expect(recordsThatFit(bytesMax, asked, comparison)).toBe(3_000);
  expect(recordsThatFit(bytesMax - 1, asked, comparison)).toBe(2_999);
  expect(recordsThatFit(bytesMax, { ...asked, recordsMax: 2_000 }, comparison)).toBe(2_000);
  expect(recordsThatFit(processBytes, asked, comparison)).toBeNull();
});

test("cosines grow with the square of the records, and with the spaces that may be summed", () => {
  const cosines = (of: object) => comparingBytes({ ...comparison, dimensions: 0, records: 5_000, ...of });
  // As documented: 25 MB at 5,000 records and 400 MB at 20,000.
  expect(cosines({ spaces: 1 })).toBe(25e6);
  expect(cosines({ spaces: 1, records: 20_000 })).toBe(400e6);
  expect(cosines({ spaces: 3 })).toBe(75e6);
  expect(cosines({ spaces: 1, queries: 2_000 })).toBe(40e6);
});

test.for([
  ["more dimensions", { encoder: "words", field: "text", dimensions: 64 }, 512],
  ["a field that says more", { encoder: "words", field: ["text", "more"], dimensions: 64 }, 64],
] as const)("%s take more", ([, definition, dimensions]) => {
  const fields = { text: "word ".repeat(50), more: "other ".repeat(50) };
  const records = Array.from({ length: 400 }, (_, n) => ({ id: `r${n}`, fields }));
  const sampled = { records, train: 200, queries: 0 };
  const small = { encoder: "words", field: "text", dimensions: 64 } as unknown as SpaceDefinition;
  const least = candidateBytes(small, sampled, { dimensions: 64, weightBytes: 0, readDimensions: 0 });
  const sizes = { dimensions, weightBytes: 0, readDimensions: 0 };
  expect(candidateBytes(definition as unknown as SpaceDefinition, sampled, sizes)).toBeGreaterThan(least);
});

test("a model of a graph holds what it reads of each record", () => {
  const records = Array.from({ length: 400 }, (_, n) => ({
    id: `r${n}`,
    fields: { cites: { [`r${n + 1}`]: 1 } },
  }));
  const definition = { encoder: "graphsage", field: "cites", features: ["words"], dimensions: 64 };
  const bytes = (readDimensions: number) =>
    candidateBytes(
      definition as unknown as SpaceDefinition,
      { records, train: 200, queries: 0 },
      { dimensions: 64, weightBytes: 0, readDimensions },
    );
  expect(bytes(2_000) - bytes(1_000)).toBe(8 * 4 * 400 * 1_000);
});
