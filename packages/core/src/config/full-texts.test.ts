import { expect, test } from "vitest";
import type { MedleyError } from "../errors.ts";
import { checkConfig } from "./check.ts";
import { configJsonSchema } from "./shape.ts";

function check(texts: unknown) {
  const fields = { title: "text", plot: "text", studio: "category", year: "number" };
  const spaces = { year: { encoder: "number", field: "year", range: [0, 1] } };
  const films = texts === undefined ? { fields, spaces } : { fields, spaces, texts };
  return checkConfig({ collections: { films } })[0]?.texts;
}

test("texts are checked, completed and frozen; a collection without has none", () => {
  const texts = check({
    words: { fields: ["title", "studio"], language: "english" },
    graded: { fields: { plot: "C", title: "A" }, language: "public.unaccented", weight: -2 },
  });
  expect(texts).toEqual([
    {
      name: "words",
      fields: [
        { field: "title", label: "A" },
        { field: "studio", label: "A" },
      ],
      language: "english",
      weight: 1,
    },
    {
      name: "graded",
      fields: [
        { field: "plot", label: "C" },
        { field: "title", label: "A" },
      ],
      language: "public.unaccented",
      weight: -2,
    },
  ]);
  expect(Object.isFrozen(texts) && Object.isFrozen(texts?.[0]?.fields[0])).toBe(true);
  expect(check(undefined)).toEqual([]);
});

test.for([
  ["words", { fields: [] }, "collection films, text words, fields: "],
  ["words", { fields: {} }, "fields: there is none; name at least one of type text or category"],
  ["words", { fields: ["titel"] }, 'text "words": fields: "titel" does not exist; did you mean "title"?'],
  ["words", { fields: ["year"] }, '"year" is number; words are read of fields of type text or category'],
  ["words", { fields: ["title", "title"] }, '"title" is named twice; remove one'],
  ["words", { fields: { title: "E" } }, "collection films, text words, fields, title: "],
  ["words", { fields: "title" }, "collection films, text words, fields: "],
  ["words", { language: undefined }, "collection films, text words, language: "],
  ["words", { language: "english'" }, "language: is no name of a text search configuration"],
  ["words", { weight: "2" }, "collection films, text words, weight: "],
  ["words", { field: "title" }, 'collection films, text words: unknown key "field"'],
  ["Words", {}, 'text "Words": a name is 1-40'],
  ["year", {}, 'text "year": a space has the name'],
] as const)("%s %j is refused with its place", ([name, change, message]) => {
  let refused = "accepted";
  try {
    check({ [name]: { fields: ["title"], language: "english", ...change } });
  } catch (error) {
    refused = (error as MedleyError).message;
  }
  expect(refused).toContain(message);
});

test("editors know them by the JSON schema", () => {
  expect(JSON.stringify(configJsonSchema())).toContain("text search configuration");
});
