import { readFileSync } from "node:fs";
import { defineConfig } from "medley";

// As ../medley.config.ts has them.
const vocabulary: { genres: string[]; cast: string[] } = JSON.parse(
  readFileSync(new URL("../vocabulary.json", import.meta.url), "utf8"),
);

export default defineConfig({
  collections: {
    films: {
      fields: {
        title: "text",
        year: "number",
        plot: "text",
        cast: "categories",
        /** The cast once more, as edges: a film's neighbours are its actors. */
        players: "edges",
        /** What a film's nearest films should tell of it. */
        genre: "category",
        decade: "category",
      },
      spaces: {
        plot: {
          candidates: [
            { encoder: "text", field: "plot" },
            { encoder: "words", field: "plot", dimensions: 128 },
          ],
        },
        cast: {
          candidates: [
            { encoder: "category", field: "cast", values: vocabulary.cast },
            { encoder: "node2vec", field: "players", dimensions: 64 },
          ],
        },
        title: { encoder: "words", field: "title", dimensions: 64 },
        year: { encoder: "number", field: "year", range: [1970, 2023] },
      },
      tasks: {
        genre: { kind: "classification", label: "genre" },
        /** Without the year, which knows the answer. */
        decade: { kind: "classification", label: "decade", without: ["year"] },
      },
    },
  },
});
