import { readFileSync } from "node:fs";
import { defineConfig } from "medley";

// The genres and the 200 most frequent names of films.jsonl.gz.
const vocabulary: { genres: string[]; cast: string[] } = JSON.parse(
  readFileSync(new URL("./vocabulary.json", import.meta.url), "utf8"),
);

export default defineConfig({
  collections: {
    films: {
      fields: { title: "text", year: "number", genres: "categories", cast: "categories", plot: "text" },
      spaces: {
        plot: { encoder: "text", field: "plot" },
        genres: { encoder: "category", field: "genres", values: vocabulary.genres },
        year: { encoder: "number", field: "year", range: [1970, 2023] },
        cast: { encoder: "category", field: "cast", values: vocabulary.cast },
      },
      texts: {
        words: { fields: { title: "A", plot: "C" }, language: "english" },
      },
    },
  },
});
