import { defineConfig } from "medley";

export default defineConfig({
  collections: {
    messages: {
      fields: {
        said: "text",
        clip: "audio",
        topic: "category",
        language: "category",
        speaker: "category",
        recorded: "timestamp",
      },
      spaces: {
        voice: { encoder: "audio", field: "clip", model: "ge2e-voice", from: { folder: "./clips" } },
        said: { encoder: "text", field: "said" },
        language: { encoder: "category", field: "language", values: ["en", "de", "fr"], weight: 0 },
        recorded: { encoder: "recency", field: "recorded", horizonDays: 90, weight: 0 },
      },
    },
  },
});
