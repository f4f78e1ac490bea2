import { defineConfig } from "medley";
import { channels, horizon, lookback } from "./windows.ts";

export default defineConfig({
  collections: {
    windows: {
      fields: { readings: "series", scaled: `vector(${lookback * channels})`, part: "category" },
      spaces: {
        dlinear: { encoder: "dlinear", field: "readings", dimensions: 64, lookback, horizon },
        nlinear: { encoder: "nlinear", field: "readings", dimensions: 64, lookback, horizon },
        raw: { encoder: "vector", field: "scaled" },
      },
    },
  },
});
