import { expect, test } from "vitest";
import { MedleyError } from "../errors.ts";
import { checkConfig } from "./check.ts";
import { trainedEncoders } from "./trained-spaces.ts";

const fields = {
  abstract: "text",
  topic: "category",
  tags: "categories",
  year: "number",
  out: "timestamp",
  cites: "edges",
  reads: "series",
  cover: "image",
  to_label: "number",
};
const words = { encoder: "words", field: "abstract", dimensions: 64 };

function problemOf(spaces: Record<string, object>): string {
  try {
    checkConfig({ collections: { papers: { fields, spaces } } });
  } catch (error) {
    expect(error).toBeInstanceOf(MedleyError);
    return (error as MedleyError).message;
  }
  return "accepted";
}

test("every trained encoder reads a field of its type", () => {
  const fieldOf = {
    words: "abstract",
    entity: "tags",
    node2vec: "cites",
    graphsage: "cites",
    time2vec: "out",
  };
  const spaces = Object.fromEntries(
    trainedEncoders.map((encoder) => [
      encoder,
      {
        encoder,
        field: (fieldOf as Record<string, string>)[encoder] ?? "reads",
        dimensions: 16,
        ...(encoder === "graphsage" ? { features: ["words", "node2vec"] } : {}),
        ...(encoder === "time2vec" ? { target: "year" } : {}),
      },
    ]),
  );
  expect(problemOf(spaces)).toBe("accepted");
  for (const encoder of trainedEncoders) {
    const misfit = { ...spaces, [encoder]: { ...spaces[encoder], field: "cover" } };
    expect(problemOf(misfit), encoder).toMatch(/reads .*, but field "cover" is image; use encoder "image"/);
  }
});

test.for<[string, Record<string, object>, string]>([
  ["no dimensions", { w: { encoder: "words", field: "abstract" } }, "space w, dimensions"],
  ["dimensions beyond an index", { w: { ...words, dimensions: 4001 } }, "space w, dimensions"],
  ["n-grams the wrong way round", { w: { ...words, ngrams: [3, 1] } }, "ngrams [3, 1] are none"],
  [
    "a target that is not there",
    { t: { encoder: "entity", field: "topic", dimensions: 8, target: "yaer" } },
    'target "yaer" does not exist; did you mean "year"?',
  ],
  [
    "a target of a type that can't be told",
    { t: { encoder: "entity", field: "topic", dimensions: 8, target: "abstract" } },
    'target "abstract" is text; it must be a field of type category or number',
  ],
  [
    "a target that is the field",
    { t: { encoder: "entity", field: "topic", dimensions: 8, target: "topic" } },
    'target "topic" is the field itself',
  ],
  ["a time without target", { t: { encoder: "time2vec", field: "out", dimensions: 8 } }, "space t, target"],
  [
    "features that are not there",
    { words, g: { encoder: "graphsage", field: "cites", features: ["word"], dimensions: 8 } },
    'features: there is no space "word"; did you mean "words"?',
  ],
  [
    "features of itself",
    { g: { encoder: "graphsage", field: "cites", features: ["g"], dimensions: 8 } },
    "features name the space itself",
  ],
  [
    "features of a space that needs features",
    {
      words,
      g: { encoder: "graphsage", field: "cites", features: ["words"], dimensions: 8 },
      h: { encoder: "graphsage", field: "cites", features: ["g"], dimensions: 8 },
    },
    'features: "g" is a graphsage space itself',
  ],
  [
    "features twice",
    { words, g: { encoder: "graphsage", field: "cites", features: ["words", "words"], dimensions: 8 } },
    '"words" is named twice',
  ],
  [
    "a tuned text without its target",
    { p: { encoder: "text", field: "abstract", tuned: { target: "cites" } } },
    'target "cites" is edges; it must be a field of type category',
  ],
  [
    "labels in a column that is a field's",
    { to: { encoder: "text", field: "abstract", tuned: { target: "topic" } } },
    'it is tuned, so what it tells stands in a column "to_label", which is also the name of a field; rename the field or the space',
  ],
  ["a setting of another kind", { w: { ...words, p: 1 } }, 'space w: unknown key "p"'],
])("%s: refused with place and mend", ([, spaces, expected]) => {
  expect(problemOf(spaces)).toContain(expected);
});
