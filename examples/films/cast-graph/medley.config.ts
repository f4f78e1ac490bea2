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
        genres: "categories",
        plot: "text",
        cast: "categories",
        /** The cast once more, as edges: a film's neighbours are its actors, an actor's are the films. */
        players: "edges",
        part: "category",
      },
      spaces: {
        plot: { encoder: "text", field: "plot" },
        cast: { encoder: "category", field: "cast", values: vocabulary.cast },
        cast_graph: { encoder: "node2vec", field: "players", dimensions: 64 },
      },
    },
  },
});
