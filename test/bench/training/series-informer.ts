import { paperSize } from "@medley/training";
import { measureForecast, secondsPerStep } from "../ett.ts";
import type { Measurement } from "../measurement.ts";

const by = "Zhou et al. 2021's model, figures of Zeng et al. 2023";
const options = { kind: "informer", lookback: 96 } as const;

/** Forecasts of 96 hours from 96 by a small Informer; the papers' size is timed for a few steps. */
export async function run(): Promise<Measurement[]> {
  const first = await measureForecast({
    name: "Informer of centred windows, ETTh1, 96 to 96, MSE",
    file: "ETTh1",
    options,
    published: { mse: 0.865, mae: 0.713, by },
    mseMax: 0.865,
  });
  const seconds = await secondsPerStep({ ...options, ...paperSize, dimensions: 64, seed: 1 });
  const paper = `the papers' size (512 wide) takes ${seconds.toFixed(2)} s a step`;
  const published = await measureForecast({
    name: "Informer as published, ETTh1, 96 to 96, MSE",
    file: "ETTh1",
    options: { ...options, centred: false },
    published: { mse: 0.865, mae: 0.713, by },
    mseMax: 0.865,
  });
  const second = await measureForecast({
    name: "Informer of centred windows, ETTh2, 96 to 96, MSE",
    file: "ETTh2",
    options,
    published: { mse: 3.755, mae: 1.525, by },
    mseMax: 3.755,
  });
  return [{ ...first, detail: `${first.detail}; ${paper}` }, published, second];
}
