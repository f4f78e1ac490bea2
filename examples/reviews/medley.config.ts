import { defineConfig } from "medley";

export default defineConfig({
  collections: {
    reviews: {
      fields: { text: "text", label: "category", part: "category" },
      spaces: {
        words: { encoder: "words", field: "text", dimensions: 256 },
        meaning: { encoder: "text", field: "text" },
        tuned: { encoder: "text", field: "text", tuned: { target: "label", blocks: 2 } },
      },
    },
  },
});
