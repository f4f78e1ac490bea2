import { expect, test } from "vitest";
import type { MedleyError } from "../errors.ts";
import { checkConfig } from "./check.ts";

const text = { encoder: "text", field: "plot" };
const words = { encoder: "words", field: "plot", dimensions: 8 };
const fields = {
  ...{ plot: "text", cites: "edges", genre: "category", year: "number" },
  ...{ takings: "series", next: "series" },
};

function collectionWith(spaces: object, tasks: object = {}) {
  return checkConfig({ collections: { films: { fields, spaces, tasks } } })[0];
}

function messageOf(spaces: object, tasks: object = {}): string {
  try {
    collectionWith(spaces, tasks);
  } catch (error) {
    return (error as MedleyError).message;
  }
  return "accepted";
}

test("until there is a choice the first candidate serves; the weight is the space's", () => {
  const films = collectionWith(
    { plot: { candidates: [words, text], weight: 2 } },
    { genre: { kind: "classification", label: "genre" } },
  );
  expect(films?.spaces[0]).toEqual({
    name: "plot",
    definition: words,
    candidates: [words, text],
    fields: ["plot"],
  });
  expect(films?.weights).toEqual({ plot: 2 });
  expect(films?.tasks).toEqual([{ name: "genre", kind: "classification", label: "genre", without: [] }]);
  expect(collectionWith({ plot: text })?.spaces[0]?.candidates).toEqual([]);
});

test("queries may be judged in a folder, by its test split if none is named, and pairs stand in a file", () => {
  const judged = { kind: "retrieval", judgements: "./beir" };
  const clicks = { kind: "pairs", pairs: "./clicks.jsonl" };
  const tasks = { search: judged, dev: { ...judged, split: "dev", without: ["plot"] }, clicks };
  expect(collectionWith({ plot: text }, tasks)?.tasks).toEqual([
    { name: "search", ...judged, split: "test", without: [] },
    { name: "dev", ...judged, split: "dev", without: ["plot"] },
    { name: "clicks", ...clicks, without: [] },
  ]);
  const wrong = messageOf({ plot: text }, { search: { ...judged, label: "genre", without: ["plots"] } });
  expect(wrong).toContain('unknown key "label"');
  const misnamed = messageOf({ plot: text }, { search: { ...judged, without: ["plots"] } });
  expect(misnamed).toContain('without: there is no space "plots"; did you mean "plot"?');
});

test("a forecasting names the series that came after, and the one that it came after if levels are to be left out", () => {
  const next = { kind: "forecasting", label: "next" };
  const tasks = { next, change: { ...next, after: "takings" } };
  expect(collectionWith({ plot: text }, tasks)?.tasks).toEqual([
    { name: "next", ...next, after: null, without: [] },
    { name: "change", ...next, after: "takings", without: [] },
  ]);
  const of = (task: object) => messageOf({ plot: text }, { next: { ...next, ...task } });
  expect(of({ label: "year" })).toContain(
    'label "year" is number; that of a forecasting must be a field of type series',
  );
  expect(of({ after: "taking" })).toContain('after "taking" does not exist; did you mean "takings"?');
  expect(of({ after: "next" })).toContain('after "next" is the label itself');
});

test.for([
  ["one candidate alone", [words], "space plot, candidates"],
  [
    "the same twice",
    [words, text, { ...words }],
    'space "plot", candidate 3 is candidate 1 again; remove one',
  ],
  ["a weight of a candidate", [text, { ...words, weight: 2 }], "candidate 2: weight belongs to the space"],
  [
    "a misfit",
    [text, { ...words, field: "year" }],
    'candidate 2: encoder "words" reads text, but field "year" is number',
  ],
  [
    "an unknown encoder",
    [text, { encoder: "wrods", field: "plot" }],
    'there is no encoder "wrods"; did you mean "words"?',
  ],
  ["an unknown key", [text, { ...words, depth: 2 }], 'candidates, 1: unknown key "depth"; remove it'],
  [
    "a graphsage candidate of its own space",
    [
      { encoder: "node2vec", field: "cites", dimensions: 8 },
      { encoder: "graphsage", field: "cites", features: ["plot"], dimensions: 8 },
    ],
    "candidate 2: features name the space itself",
  ],
])("%s: refused with place and mend", ([, candidates, expected]) => {
  const year = { encoder: "number", field: "year", range: [0, 1] };
  expect(messageOf({ plot: { candidates }, year })).toContain(expected);
});

test("a space of one encoder is refused by its own form, not that of candidates", () => {
  expect(messageOf({ plot: { ...words, dimensions: 1 } })).toContain("space plot, dimensions");
});

test("features of a graph are of spaces of one encoder", () => {
  const graph = { encoder: "graphsage", field: "cites", features: ["plot"], dimensions: 8 };
  expect(messageOf({ plot: { candidates: [text, words] }, graph })).toContain(
    'space "graph": features: "plot" has candidates; name spaces of one encoder',
  );
});

test.for([
  [{ kind: "classification", label: "gener" }, 'label "gener" does not exist; did you mean "genre"?'],
  [
    { kind: "classification", label: "year" },
    'label "year" is number; that of a classification must be a field of type category',
  ],
  [
    { kind: "regression", label: "genre" },
    'label "genre" is category; that of a regression must be a field of type number',
  ],
  [
    { kind: "regression", label: "year", without: ["pot"] },
    'without: there is no space "pot"; did you mean "plot"?',
  ],
  [{ kind: "guessing", label: "year" }, "task, kind"],
])("a task that can't be measured is refused: %o", ([task, expected]) => {
  expect(messageOf({ plot: text }, { task })).toContain(expected);
});
