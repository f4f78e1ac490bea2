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
      },
      tasks: {
        genre: { kind: "classification", label: "genre" },
        decade: { kind: "classification", label: "decade" },
      },
    },
  },
});
