import { defineConfig } from "medley";
import { channels, horizon, lookback } from "./windows.ts";

const linear = { field: "readings", dimensions: 64, lookback, horizon } as const;
const scaled = `vector(${lookback * channels})` as const;

export default defineConfig({
  collections: {
    windows: {
      fields: { readings: "series", scaled, part: "category" },
      spaces: {
        dlinear: { encoder: "dlinear", ...linear },
        nlinear: { encoder: "nlinear", ...linear },
        raw: { encoder: "vector", field: "scaled" },
      },
    },
    /** Which of the three should a collection have? `medley assign` measures it. */
    weeks: {
      fields: { readings: "series", scaled, following: "series" },
      spaces: {
        course: {
          candidates: [
            { encoder: "vector", field: "scaled" },
            { encoder: "dlinear", ...linear },
            { encoder: "nlinear", ...linear },
          ],
        },
      },
      tasks: { tomorrow: { kind: "forecasting", label: "following", after: "readings" } },
    },
  },
});
