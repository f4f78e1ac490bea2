import { readFileSync } from "node:fs";
import { type SeriesTrainingOptions, type Spread, spreadOf, trainSeries } from "@medley/training";
import type { Measurement } from "./measurement.ts";
import { sharedData } from "./shared-data.ts";

/** A transformer's load and oil temperature, hourly for two years (Zhou et al. 2021). */
export interface EttSeries {
  readonly times: number[];
  /** [hours][HUFL, HULL, MUFL, MULL, LUFL, LULL, OT]. */
  readonly values: number[][];
}

export type EttFile = "ETTh1" | "ETTh2";

export function readEtt(file: EttFile): EttSeries {
  const [, ...lines] = readFileSync(sharedData(`ett/${file}.csv`), "utf8")
    .trim()
    .split("\n");
  const rows = lines.map((line) => line.split(","));
  return {
    times: rows.map(([date]) => Date.parse(`${(date as string).replace(" ", "T")}Z`)),
    values: rows.map(([, ...values]) => values.map(Number)),
  };
}

/** Months of 30 days for training, validation and test, as in all papers that report these data. */
export const ettSplit = { months: [12, 4, 4] } as const;
const testWindows = 2_785;
const seeds = [1, 2, 3];
const minutesMax = 15;
/** What the time allowed is for, whatever the machine has. */
const threads = 2;

export interface ForecastBar {
  readonly name: string;
  readonly file: EttFile;
  readonly options: Pick<SeriesTrainingOptions, "kind"> & Partial<SeriesTrainingOptions>;
  readonly published: { readonly mse: number; readonly mae: number; readonly by: string };
  /** Of the mean over seeds. */
  readonly mseMax: number;
}

/** The mean error on all windows of the test part over seeds, the epoch of each chosen by validation. */
export async function measureForecast(bar: ForecastBar): Promise<Measurement> {
  const { name, file, options, published, mseMax } = bar;
  const runs: Record<string, number>[] = [];
  for (const seed of seeds) {
    const start = performance.now();
    const model = await trainSeries([readEtt(file)], {
      dimensions: 64,
      split: ettSplit,
      horizon: 96,
      threads,
      ...options,
      seed,
    });
    runs.push({ ...model.metrics, seconds: (performance.now() - start) / 1_000 });
    process.stderr.write(`  ${name}, seed ${seed}: ${JSON.stringify(runs.at(-1))}\n`);
  }
  const of = (figure: string) => spreadOf(runs.map((run) => run[figure] as number));
  const mse = of("test/mse");
  const minutes = of("seconds").max / 60;
  const isWhole = runs.every((run) => run["test/windows"] === testWindows);
  return {
    name,
    value: mse.mean,
    goal: `at most ${mseMax}, in at most ${minutesMax} minutes`,
    met: mse.mean <= mseMax && minutes <= minutesMax && isWhole,
    detail:
      `scaled MSE ${shown(mse)}, MAE ${shown(of("test/mae"))} over ${seeds.length} seeds, on ${runs[0]?.["test/windows"]} of ` +
      `${testWindows} test windows; published ${published.mse}, ${published.mae} (${published.by}); validation MSE ` +
      `${shown(of("validation/mse"))}, which chose the epoch or ridge; ${of("seconds").mean.toFixed(0)} s a training on ${threads} threads`,
  };
}

/** The time of one step of 32 windows of a model, in seconds: what the papers' sizes would take. */
export async function secondsPerStep(options: SeriesTrainingOptions): Promise<number> {
  const ends: number[] = [];
  await trainSeries([readEtt("ETTh1")], {
    split: ettSplit,
    threads,
    // A handful of windows: three steps in the only epoch.
    stride: 100,
    epochsMax: 1,
    ...options,
    onProgress: ({ unit }) => unit === "steps" && ends.push(performance.now()),
  });
  return ((ends.at(-1) as number) - (ends[0] as number)) / (ends.length - 1) / 1_000;
}

export function shown({ mean, deviation }: Spread): string {
  return `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`;
}
