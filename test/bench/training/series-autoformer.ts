import { paperSize } from "@medley/training";
import { measureForecast, secondsPerStep } from "../ett.ts";
import type { Measurement } from "../measurement.ts";

const by = "Wu et al. 2021's model, figures of Zeng et al. 2023";
const options = { kind: "autoformer", lookback: 96 } as const;

/** Forecasts of 96 hours from 96 by a small Autoformer; the papers' size is timed for a few steps. */
export async function run(): Promise<Measurement[]> {
  const first = await measureForecast({
    name: "Autoformer, ETTh1, 96 to 96, MSE",
    file: "ETTh1",
    options,
    published: { mse: 0.449, mae: 0.459, by },
    mseMax: 0.449,
  });
  const seconds = await secondsPerStep({ ...options, ...paperSize, dimensions: 64, seed: 1 });
  const paper = `the papers' size (512 wide) takes ${seconds.toFixed(2)} s a step`;
  const second = await measureForecast({
    name: "Autoformer, ETTh2, 96 to 96, MSE",
    file: "ETTh2",
    options,
    published: { mse: 0.358, mae: 0.397, by },
    mseMax: 0.358,
  });
  return [{ ...first, detail: `${first.detail}; ${paper}` }, second];
}
