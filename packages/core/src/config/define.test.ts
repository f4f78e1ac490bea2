import { expect, test } from "vitest";
import { defineConfig } from "./define.ts";

// The compiler is the test here: each `@ts-expect-error` fails the type check when the mistake below it compiles.
test("a configuration that fits compiles", () => {
  const good = defineConfig({
    collections: {
      films: {
        fields: { title: "text", plot: "text", genres: "categories", year: "number", face: "vector(8)" },
        spaces: {
          plot: { encoder: "text", field: ["title", "plot"], weight: 2 },
          genres: { encoder: "category", field: "genres", values: ["Comedy"] },
          year: { encoder: "number", field: "year", range: [1900, 2030] },
          face: { encoder: "vector", field: "face" },
        },
        texts: {
          words: { fields: ["title", "plot"], language: "english", weight: 2 },
          graded: { fields: { title: "A", plot: "D" }, language: "simple" },
        },
      },
      shops: {
        fields: { place: "geo", opened: "timestamp" },
        spaces: {
          place: { encoder: "geo", field: "place" },
          opened: { encoder: "recency", field: "opened", horizonDays: 1461 },
        },
      },
      papers: {
        fields: { cites: "edges", topic: "category", abstract: "text", out: "timestamp", reads: "series" },
        spaces: {
          words: { encoder: "words", field: "abstract", dimensions: 64, ngrams: [1, 2] },
          topic: { encoder: "entity", field: "topic", dimensions: 8 },
          walks: { encoder: "node2vec", field: "cites", dimensions: 64, p: 0.5 },
          graph: {
            encoder: "graphsage",
            field: "cites",
            features: ["words"],
            dimensions: 64,
            target: "topic",
          },
          out: { encoder: "time2vec", field: "out", dimensions: 16, target: "topic" },
          reads: { encoder: "dlinear", field: "reads", dimensions: 32 },
          meaning: { encoder: "text", field: "abstract", tuned: { target: "topic", blocks: 2 } },
          chosen: {
            candidates: [
              { encoder: "text", field: "abstract" },
              { encoder: "words", field: "abstract", dimensions: 64 },
            ],
            weight: 2,
          },
        },
        tasks: { topic: { kind: "classification", label: "topic", without: ["topic"] } },
      },
    },
  });
  expect(good.collections.films.fields.plot).toBe("text");
});

test("a misfit of field and encoder does not compile", () => {
  defineConfig({
    collections: {
      films: {
        fields: { plot: "text", year: "number" },
        spaces: {
          // @ts-expect-error a field that does not exist
          plot: { encoder: "text", field: "plott" },
          // @ts-expect-error an encoder for another type of field
          year: { encoder: "geo", field: "year" },
        },
      },
    },
  });
  defineConfig({
    collections: {
      films: {
        fields: { plot: "text" },
        // @ts-expect-error an encoder that does not exist
        spaces: { plot: { encoder: "txt", field: "plot" } },
      },
    },
  });
  defineConfig({
    collections: {
      papers: {
        fields: { cites: "edges", year: "number", abstract: "text" },
        spaces: {
          // @ts-expect-error a graph's encoder for numbers
          walks: { encoder: "node2vec", field: "year", dimensions: 64 },
          // @ts-expect-error a target that can't be told apart
          words: { encoder: "text", field: "abstract", tuned: { target: "year" } },
        },
      },
    },
  });
  defineConfig({
    collections: {
      films: {
        // @ts-expect-error a field type that does not exist
        fields: { plot: "string" },
        spaces: {},
      },
    },
  });
  defineConfig({
    collections: {
      films: {
        fields: { plot: "text" },
        // @ts-expect-error a weight is a number
        spaces: { plot: { encoder: "text", field: "plot", weight: "2" } },
      },
    },
  });
  defineConfig({
    collections: {
      films: {
        fields: { year: "number" },
        // @ts-expect-error a range is two numbers
        spaces: { year: { encoder: "number", field: "year", range: [1900] } },
      },
    },
  });
});

test("texts of fields without words do not compile", () => {
  defineConfig({
    collections: {
      films: {
        fields: { plot: "text", year: "number" },
        spaces: { plot: { encoder: "text", field: "plot" } },
        texts: {
          // @ts-expect-error a number has no words
          years: { fields: ["year"], language: "english" },
          // @ts-expect-error a label that does not exist
          plots: { fields: { plot: "E" }, language: "english" },
        },
      },
    },
  });
});

test("candidates and tasks that do not fit the fields do not compile", () => {
  defineConfig({
    collections: {
      papers: {
        fields: { abstract: "text", year: "number" },
        spaces: {
          about: {
            candidates: [
              { encoder: "text", field: "abstract" },
              // @ts-expect-error a candidate that reads a field of another type
              { encoder: "text", field: "year" },
            ],
          },
          // @ts-expect-error no choice
          only: { candidates: [{ encoder: "text", field: "abstract" }] },
        },
        // @ts-expect-error a label that is no class
        tasks: { year: { kind: "classification", label: "year" } },
      },
      days: {
        fields: { readings: "series", next: "series", year: "number" },
        spaces: { course: { encoder: "nlinear", field: "readings", dimensions: 8 } },
        tasks: {
          next: { kind: "forecasting", label: "next", after: "readings" },
          // @ts-expect-error what came before is no series
          year: { kind: "forecasting", label: "next", after: "year" },
        },
      },
    },
  });
});
