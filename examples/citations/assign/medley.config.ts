import { defineConfig } from "medley";
import { words } from "../medley.config.ts";

export default defineConfig({
  collections: {
    papers: {
      fields: { words: "categories", cites: "edges", topic: "category", part: "category" },
      spaces: {
        words: { encoder: "category", field: "words", values: words },
        cites: {
          candidates: [
            { encoder: "node2vec", field: "cites", dimensions: 128 },
            { encoder: "graphsage", field: "cites", features: ["words"], dimensions: 64, target: "topic" },
            { encoder: "graphsage", field: "cites", features: ["words"], dimensions: 64 },
          ],
        },
      },
      /** What a paper's nearest papers should tell of it. */
      tasks: { topic: { kind: "classification", label: "topic" } },
    },
  },
});
