import { measureForecast } from "../ett.ts";
import type { Measurement } from "../measurement.ts";

const by = "Zeng et al. 2023";

/** Forecasts of 96 hours by linear maps of 336. */
export async function run(): Promise<Measurement[]> {
  const dlinear = { kind: "dlinear", lookback: 336 } as const;
  const nlinear = { kind: "nlinear", lookback: 336 } as const;
  return [
    await measureForecast({
      name: "DLinear, ETTh1, 336 to 96, MSE",
      file: "ETTh1",
      options: dlinear,
      published: { mse: 0.375, mae: 0.399, by },
      mseMax: 0.377,
    }),
    await measureForecast({
      name: "NLinear, ETTh1, 336 to 96, MSE",
      file: "ETTh1",
      options: nlinear,
      published: { mse: 0.374, mae: 0.394, by },
      mseMax: 0.38,
    }),
    await measureForecast({
      name: "DLinear, ETTh2, 336 to 96, MSE",
      file: "ETTh2",
      options: dlinear,
      published: { mse: 0.289, mae: 0.353, by },
      mseMax: 0.289,
    }),
    await measureForecast({
      name: "NLinear, ETTh2, 336 to 96, MSE",
      file: "ETTh2",
      options: nlinear,
      published: { mse: 0.277, mae: 0.338, by },
      mseMax: 0.28,
    }),
  ];
}
