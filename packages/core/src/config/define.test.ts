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
      },
      shops: {
        fields: { place: "geo", opened: "timestamp" },
        spaces: {
          place: { encoder: "geo", field: "place" },
          opened: { encoder: "recency", field: "opened", horizonDays: 1461 },
        },
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
