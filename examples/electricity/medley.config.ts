import { defineConfig } from "medley";

/** Steps of a window: four days. */
const lookback = 96;
/** Load at three levels, useful and useless each, and the oil's temperature. */
const channels = 7;

export default defineConfig({
  collections: {
    windows: {
      fields: {
        readings: "series",
        scaled: `vector(${lookback * channels})`,
        next: "category",
        part: "category",
      },
      spaces: {
        course: { encoder: "dlinear", field: "readings", dimensions: 64, lookback, horizon: 24 },
        raw: { encoder: "vector", field: "scaled" },
      },
    },
  },
});
