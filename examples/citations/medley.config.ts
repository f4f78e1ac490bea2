import { defineConfig } from "medley";

/** The bag of words has 1,433, which Planetoid numbers. */
export const words = Array.from({ length: 1_433 }, (_, number) => `w${number}`);

export default defineConfig({
  collections: {
    papers: {
      fields: { words: "categories", cites: "edges", topic: "category", part: "category" },
      spaces: {
        words: { encoder: "category", field: "words", values: words },
        walks: { encoder: "node2vec", field: "cites", dimensions: 128 },
        graph: { encoder: "graphsage", field: "cites", features: ["words"], dimensions: 64, target: "topic" },
      },
    },
  },
});
