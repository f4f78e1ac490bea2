import type { SpaceDefinition } from "@medley/core";
import { expect, test } from "vitest";
import { candidateNames } from "./candidate-name.ts";

test("candidates are told apart by what they differ in", () => {
  const definitions = [
    { encoder: "text", field: "plot" },
    { encoder: "text", field: "plot", model: "./e5" },
    { encoder: "text", field: "plot", tuned: { target: "genre" } },
    { encoder: "words", field: "plot", dimensions: 64, ngrams: [1, 2] },
  ] as unknown as SpaceDefinition[];
  expect(candidateNames(definitions)).toEqual([
    "text",
    "text, ./e5",
    "text, tuned target genre",
    "words, dimensions 64, ngrams 1,2",
  ]);
});

test("a field is named where there are several, a number where nothing else differs in few words", () => {
  const category = { encoder: "category", field: "cast" };
  const definitions = [
    { ...category, values: ["a", "b", "c"] },
    { ...category, values: ["a", "b", "d"] },
    { encoder: "node2vec", field: "players", dimensions: 64 },
  ] as unknown as SpaceDefinition[];
  expect(candidateNames(definitions)).toEqual([
    "category of cast",
    "category of cast (2)",
    "node2vec of players, dimensions 64",
  ]);
});
