import { strict as assert } from "node:assert";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadRecords, openExample, planAssignment, trainSpace, writeRecords } from "@medley/example-steps";
import { meanAbsoluteError, meanSquaredError } from "@medley/training";
import { type Deployment, loadConfig } from "medley";
import { forecast } from "./forecast.ts";
import {
  channels,
  horizon,
  lookback,
  oil,
  readReadings,
  type Scale,
  scalesOf,
  type Window,
  windowsOf,
} from "./windows.ts";

// The next day of a transformer, forecast from its last week: as it was a day and a week before, by two trained models, and by what
// came after the 15 known weeks that are most like this one, where "like" is by what a model knows or by the readings themselves.
const here = fileURLToPath(new URL(".", import.meta.url));
const say = (text: string) => process.stdout.write(`${text}\n`);
const neighbours = 15;
const models = ["dlinear", "nlinear"] as const;
const spaces = [...models, "raw"] as const;
type Space = (typeof spaces)[number];

const readings = readReadings();
const scales = scalesOf(readings);
const windows = windowsOf(readings);
const windowOf = new Map(windows.map((window) => [window.id, window]));
const heldOut = windows.filter(({ part }) => part === "held out");

type Forecast = ArrayLike<number>;

async function nearest(deployment: Deployment, id: string, space: Space, k: number): Promise<Window[]> {
  const weights = { ...Object.fromEntries(spaces.map((each) => [each, 0])), [space]: 1 };
  const hits = await deployment.search("windows", { like: id, weights, filter: { part: "known" }, k });
  return hits.map((hit) => windowOf.get(hit.id) as Window);
}

/** A channel's last reading, at every step of the day that follows. */
function lastReading({ scaled }: Window, at: number): number {
  return scaled[(lookback - 1) * channels + (at % channels)] as number;
}

interface ByNeighbours {
  /** As it was there. */
  readonly levels: Forecast[];
  /** By how much it went up or down there, from where it is here. */
  readonly changes: Forecast[];
}

/** The mean of what followed the nearest known windows. */
async function byNeighbours(deployment: Deployment, space: Space): Promise<ByNeighbours> {
  const forecasts: ByNeighbours = { levels: [], changes: [] };
  for (const asked of heldOut) {
    const found = await nearest(deployment, asked.id, space, neighbours);
    const day = (of: (window: Window, at: number) => number) =>
      Float64Array.from({ length: horizon * channels }, (_, at) =>
        found.reduce((sum, window) => sum + of(window, at) / found.length, 0),
      );
    forecasts.levels.push(day(({ next }, at) => next[at] as number));
    forecasts.changes.push(
      day((window, at) => (window.next[at] as number) - lastReading(window, at) + lastReading(asked, at)),
    );
  }
  return forecasts;
}

/** The window's day that begins so many hours before its end. */
function repeated(hoursBefore: number): Forecast[] {
  const from = (lookback - hoursBefore) * channels;
  return heldOut.map(({ scaled }) => scaled.slice(from, from + horizon * channels));
}

async function byModel(space: (typeof models)[number]): Promise<Forecast[]> {
  const { lock } = await loadConfig(here);
  const run = lock.trained[`windows.${space}`]?.run;
  assert(run, `windows.${space} is trained`);
  const artefact = join(here, "models", `windows.${space}`, run);
  return forecast(
    artefact,
    heldOut.map((window) => window.readings),
    scales,
  );
}

function tell(title: string, forecasts: readonly Forecast[]): number {
  const guesses = Float64Array.from(forecasts.flatMap((each) => Array.from(each)));
  const truth = Float64Array.from(heldOut.flatMap(({ next }) => next));
  const mse = meanSquaredError(truth, guesses);
  say(`   ${title.padEnd(46)} ${mse.toFixed(3)}  ${meanAbsoluteError(truth, guesses).toFixed(3)}`);
  return mse;
}

/** What the neighbours say, taken either way. */
function tellNeighbours(by: string, { levels, changes }: ByNeighbours): { levels: number; changes: number } {
  return {
    levels: tell(`after the ${neighbours} nearest weeks, ${by}`, levels),
    changes: tell("   the same, as a change", changes),
  };
}

/** The oil's mean on the day after a window, in degrees. */
function oilAfter({ next }: Window): string {
  const { mean, deviation } = scales[oil] as Scale;
  const day = Array.from({ length: horizon }, (_, hour) => next[hour * channels + oil] as number);
  return `${(mean + (deviation * day.reduce((sum, value) => sum + value, 0)) / horizon).toFixed(1)} °C`;
}

async function showLike(deployment: Deployment): Promise<void> {
  const asked = heldOut[Math.floor(heldOut.length / 2)] as Window;
  say(
    `\n4. Weeks like the one before ${asked.id}h, and the oil on the day after (it was ${oilAfter(asked)})`,
  );
  for (const space of ["dlinear", "raw"] as const) {
    const found = await nearest(deployment, asked.id, space, 5);
    say(`   by ${space.padEnd(8)} ${found.map((window) => `${window.id}h ${oilAfter(window)}`).join(", ")}`);
  }
}

async function main(): Promise<void> {
  rmSync(join(here, ".medley"), { recursive: true, force: true });
  say(`1. DLinear and NLinear learn to forecast a day from a week, of ${readings.times.length} hours`);
  const from = writeRecords(here, "to-train-on.jsonl", [{ id: "transformer", readings }]);
  for (const space of models) trainSpace(here, `windows.${space}`, { from });
  say(`\n2. ${windows.length} weeks become one vector each`);
  await using deployment = await openExample(here);
  const records = windows.map(({ id, part, readings: own, scaled }) => ({ id, part, readings: own, scaled }));
  const path = writeRecords(here, "windows.jsonl", records);
  await loadRecords(deployment, { collection: "windows", path, count: windows.length });
  say(`\n3. The next day's seven readings, of ${heldOut.length} held-out weeks, in deviations`);
  say("                                                  MSE    MAE");
  const naive = [
    tell("as the day before", repeated(horizon)),
    tell("as the same day of the week before", repeated(lookback)),
  ];
  const found = {
    raw: tellNeighbours("scaled readings", await byNeighbours(deployment, "raw")),
    dlinear: tellNeighbours("DLinear's", await byNeighbours(deployment, "dlinear")),
    nlinear: tellNeighbours("NLinear's", await byNeighbours(deployment, "nlinear")),
  };
  const trained = [
    tell("DLinear's forecast", await byModel("dlinear")),
    tell("NLinear's forecast", await byModel("nlinear")),
  ];
  await showLike(deployment);
  say("\n5. Which of the three should a collection have, to find weeks after which it goes on alike?");
  const weeks = windows.map(({ id, readings: own, scaled, following }) => ({
    id,
    readings: own,
    scaled,
    following,
  }));
  planAssignment(here, "weeks", { from: writeRecords(here, "weeks.jsonl", weeks) });
  assert(Math.max(...trained) < Math.min(...naive), "what is trained forecasts better than what is repeated");
  const { raw, dlinear, nlinear } = found;
  assert(dlinear.levels < raw.levels, "what a model knows finds better neighbours than the readings");
  assert(nlinear.changes < Math.min(raw.changes, dlinear.changes), "as `medley assign` says");
}

await main();
