import { strict as assert } from "node:assert";
import { shortenedWanted } from "@medley/store";
import {
  type BudgetSpace,
  type DimensionRung,
  type DimensionSplit,
  lossOfSplit,
  Random,
  type Split,
  splitDimensions,
} from "@medley/training";
import { manyFilms } from "../many-films.ts";
import type { Measurement } from "../measurement.ts";

const filmsCount = 12_593;
const queriesMax = 100;
const seed = 1;
/** Of the example. The day of release, which it does not have, is drawn at random. */
const spaceNames = ["plot", "genres", "year", "cast"];
const parts = [
  { part: "half", share: 0.5 },
  { part: "quarter", share: 0.25 },
] as const;
const halfLossMax = 0.02;

/** What films lose by fewer dimensions: shared among the spaces as measured, and all spaces alike. */
export async function run(): Promise<Measurement[]> {
  const spaces = await filmSpaces();
  const from = spaces.reduce((sum, { table }) => sum + table.dimensions, 0);
  const { signal } = new AbortController();
  const options = { split: splitOf(), queriesMax, seed, signal };
  const how =
    `${filmsCount} films of ${spaces.map(({ space, table }) => `${space} ${table.dimensions}`).join(", ")}, axes fitted to half of them; loss of recall@10 by score ` +
    `against all ${from} dimensions, exact scans in half precision, mean over nine weightings (all alike, each space five times, each alone) of ${queriesMax} ` +
    `queries of films that neither axes nor split were chosen by, every other a film as a whole, the others put together of several; seed ${seed}`;
  const measurements: Measurement[] = [];
  for (const { part, share } of parts) {
    const budget = Math.floor(from * share);
    const measured = await splitDimensions(spaces, { ...options, budget });
    assert("loss" in measured, "a budget that films can keep");
    measurements.push(
      measurementOf(`${part} of the dimensions, shared as measured`, measured.loss.test, {
        goal: part === "half" ? `at most ${halfLossMax}` : "reported",
        lossMax: part === "half" ? halfLossMax : 1,
        detail: `${splitText(measured)}; ${how}`,
      }),
    );
    const inGraphs = await splitDimensions(spaces, { ...options, budget, candidates: shortenedWanted });
    assert("loss" in inGraphs, "a budget that films can keep");
    measurements.push(
      measurementOf(`${part} of the dimensions in the graphs, all in the rows`, inGraphs.loss.test, {
        goal: part === "half" ? `at most ${halfLossMax}` : "reported",
        lossMax: part === "half" ? halfLossMax : 1,
        detail: `of the first ${shortenedWanted} by these all dimensions choose; ${splitText(inGraphs)}; ${how}`,
      }),
    );
    for (const by of ["pca", "random"] as const) {
      const rungs = alike(spaces, budget, by);
      measurements.push(
        measurementOf(
          `${part} of the dimensions, all spaces alike, ${by}`,
          await lossOfSplit(spaces, rungs, options),
          { goal: "reported", lossMax: 1, detail: `${rungs.map(({ to }) => to).join(" + ")}; ${how}` },
        ),
      );
    }
  }
  return measurements;
}

async function filmSpaces(): Promise<BudgetSpace[]> {
  const { layout, rows } = await manyFilms(filmsCount);
  return layout
    .filter(({ space }) => spaceNames.includes(space))
    .map(({ space, offset, dimensions }) => {
      const values = new Float32Array(rows.length * dimensions);
      for (const [at, { vector }] of rows.entries())
        values.set(vector.subarray(offset, offset + dimensions), at * dimensions);
      return { space, table: { values, dimensions }, isReducible: space !== "year", cuts: [] };
    });
}

function splitOf(): Split {
  const rows = new Random(seed).shuffle(Int32Array.from({ length: filmsCount }, (_, row) => row));
  const [half, threeQuarters] = [Math.floor(filmsCount / 2), Math.floor((3 * filmsCount) / 4)];
  return {
    train: rows.slice(0, half),
    validation: rows.slice(half, threeQuarters),
    test: rows.slice(threeQuarters),
  };
}

/** Every space that can be reduced by the same share. */
function alike(spaces: readonly BudgetSpace[], budget: number, by: "pca" | "random"): DimensionRung[] {
  const sum = (isReducible: boolean) =>
    spaces.reduce((total, one) => total + (one.isReducible === isReducible ? one.table.dimensions : 0), 0);
  const share = (budget - sum(false)) / sum(true);
  return spaces.map(({ table: { dimensions }, isReducible }) =>
    isReducible ? { to: Math.floor(dimensions * share), by } : { to: dimensions, by: null },
  );
}

function splitText({ spaces, weightings, loss, steps }: DimensionSplit): string {
  const cheap = steps.findLast(({ recall }) => 1 - recall <= halfLossMax);
  const shares = spaces.map(
    ({ space, from, to, by }) => `${space} ${to} of ${from}${by === null ? "" : ` by ${by}`}`,
  );
  const recalls = weightings.map(({ name, test }) => `${name} ${test.toFixed(3)}`);
  return `${shares.join(", ")}; recall by weighting: ${recalls.join(", ")}; lost on the queries that chose: ${loss.validation.toFixed(4)}, where the way down loses ${halfLossMax} at ${cheap?.dimensions}`;
}

function measurementOf(
  what: string,
  { mean, low, high }: DimensionSplit["loss"]["test"],
  { goal, lossMax, detail }: { readonly goal: string; readonly lossMax: number; readonly detail: string },
): Measurement {
  return {
    name: `films, ${what}: recall@10 lost`,
    value: mean,
    goal,
    met: mean <= lossMax,
    detail: `${mean.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)}); ${detail}`,
  };
}
