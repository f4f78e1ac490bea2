import { defineConfig } from "medley";

export default defineConfig({
  collections: {
    payments: {
      fields: {
        category: "category",
        amount: "number",
        at: "timestamp",
        touches: "edges",
        verdict: "category",
        part: "category",
      },
      spaces: {
        what: { encoder: "entity", field: "category", dimensions: 8, target: "verdict" },
        amount: { encoder: "number", field: "amount", range: [1, 5_000], scale: "log" },
        when: { encoder: "time2vec", field: "at", dimensions: 16, target: "verdict" },
        ring: { encoder: "node2vec", field: "touches", dimensions: 64 },
      },
    },
  },
});
