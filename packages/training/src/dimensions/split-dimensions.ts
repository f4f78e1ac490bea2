import { Random, type ReducedBy } from "@medley/core";
import type { Split } from "../data/parts.ts";
import { bootstrapDifference } from "../evaluation/bootstrap.ts";
import type { TrainingProgress } from "../progress.ts";
import { FusedRecall, meanRecall, type SpaceCosines } from "./fused-recall.ts";
import { drawQueries, type RowQuery } from "./queries.ts";
import { type BudgetSpace, type Rung, SpaceLadder } from "./space-ladder.ts";
import { type Weighting, weightingsOf } from "./weightings.ts";

export interface SplitDimensionsOptions {
  /** Of all spaces together. */
  readonly budget: number;
  /**
   * Rows that are found by fewer dimensions, of which all dimensions choose the ten best; at least ten. Default: ten, since the other dimensions
   * are gone.
   */
  readonly candidates?: number;
  /** Axes are fitted to the training records, the split is chosen by queries of the validation records. */
  readonly split: Split;
  /** At most, of each part. Default: as many as 4 MB of cosines hold per space and step, up to 200. */
  readonly queriesMax?: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
}

/** A space's share of the budget. */
export interface SpaceShare {
  readonly space: string;
  readonly from: number;
  readonly to: number;
  /** Null: as its encoder gives it. */
  readonly by: ReducedBy | null;
}

/** One step of the way down. */
export interface SplitStep extends SpaceShare {
  /** Of all spaces together, after it. */
  readonly dimensions: number;
  /** Mean over the weightings, on the validation queries. */
  readonly recall: number;
  /** Recall that each dimension saved by this step has cost. */
  readonly lossPerDimension: number;
}

export interface WeightingRecall extends Weighting {
  /** Recall@10 by the queries that chose the split, and by those that did not. */
  readonly validation: number;
  readonly test: number;
}

export interface DimensionSplit {
  readonly budget: number;
  /** Before and after. */
  readonly from: number;
  readonly to: number;
  readonly spaces: readonly SpaceShare[];
  readonly steps: readonly SplitStep[];
  readonly weightings: readonly WeightingRecall[];
  readonly queries: number;
  /** Of recall@10, mean over the weightings; `test` with the 95 % interval of a bootstrap over queries. */
  readonly loss: {
    readonly validation: number;
    readonly test: { readonly mean: number; readonly low: number; readonly high: number };
  };
}

const queriesDefault = 200;
const queriesMin = 20;
const cosinesMax = 1_000_000;

/** What a number of dimensions can't be: all spaces have them, or none can have so few. */
export type BudgetProblem = { readonly problem: "needless" | "too small"; readonly dimensions: number };

/**
 * Shares a budget of dimensions among spaces so that the least recall@10 is lost against the vectors as they are, over weightings that searches
 * may have: all alike, each space five times the others, each alone. Marginal analysis (Fox, "Discrete optimization via marginal analysis",
 * 1966): of all spaces, and all ways to get by with fewer (principal axes, random ones, a cut), the next step down is the one that costs the
 * least recall per dimension saved. The last step takes no more than it has to. The queries that measure the result
 * took no part in it. Throws the signal's reason.
 */
export async function splitDimensions(
  spaces: readonly BudgetSpace[],
  options: SplitDimensionsOptions,
): Promise<DimensionSplit | BudgetProblem> {
  const { split, seed, signal } = options;
  const ladders = spaces.map((space) => new SpaceLadder(space, { rows: split.train, seed, signal }));
  const from = ladders.reduce((sum, { dimensions }) => sum + dimensions, 0);
  const least = ladders.reduce((sum, { sizes }) => sum + (sizes.at(-1) as number), 0);
  if (options.budget >= from) return { problem: "needless", dimensions: from };
  if (options.budget < least) return { problem: "too small", dimensions: least };
  const {
    queriesMax = Math.min(
      queriesDefault,
      Math.max(queriesMin, Math.floor(cosinesMax / (ladders[0] as SpaceLadder).rowCount)),
    ),
  } = options;
  const asked = { count: queriesMax, spaces: spaces.length, seed };
  const { validation, test } = queriesOf(split, asked);
  const descent = new Descent(ladders, await Meter.of(ladders, validation, options.candidates), options);
  const { rungs, steps } = await descent.run();
  const onTest = await Meter.of(ladders, test, options.candidates);
  const tested = await onTest.ofSplit(rungs);
  const chosenBy = await descent.recallBy(rungs);
  return {
    ...{ budget: options.budget, from, to: total(rungs), steps, queries: queriesMax },
    spaces: rungs.map((rung, at) => ({ ...shareOf(ladders[at] as SpaceLadder), ...rung })),
    weightings: onTest.weightings.map((weighting, at) => ({
      ...weighting,
      validation: chosenBy[at] as number,
      test: meanRecall(tested[at] as Float64Array),
    })),
    loss: { validation: 1 - mean(chosenBy), test: lossOf(tested, seed) },
  };
}

/** What a split of one's own loses on the test queries, by the same measure: `rungs` by space, in their order. */
export async function lossOfSplit(
  spaces: readonly BudgetSpace[],
  rungs: readonly Rung[],
  {
    split,
    seed,
    signal,
    queriesMax,
    candidates,
  }: Omit<SplitDimensionsOptions, "budget"> & { readonly queriesMax: number },
): Promise<DimensionSplit["loss"]["test"]> {
  const ladders = spaces.map((space) => new SpaceLadder(space, { rows: split.train, seed, signal }));
  const { test } = queriesOf(split, { count: queriesMax, spaces: spaces.length, seed });
  const meter = await Meter.of(ladders, test, candidates);
  return lossOf(await meter.ofSplit(rungs), seed);
}

/** Of the validation and of the test records. */
function queriesOf(
  { validation, test }: Split,
  { count, spaces, seed }: { readonly count: number; readonly spaces: number; readonly seed: number },
): Readonly<Record<"validation" | "test", readonly RowQuery[]>> {
  const random = new Random(seed);
  const asked = (rows: Int32Array) => drawQueries(rows, { count, spaces, random: random.fork() });
  return { validation: asked(validation), test: asked(test) };
}

function shareOf({ space, dimensions }: SpaceLadder): Pick<SpaceShare, "space" | "from"> {
  return { space, from: dimensions };
}

function total(rungs: readonly Rung[]): number {
  return rungs.reduce((sum, { to }) => sum + to, 0);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean over the weightings of the mean over queries; the interval is of which queries were asked. */
function lossOf(byWeighting: readonly Float64Array[], seed: number): DimensionSplit["loss"]["test"] {
  const rowCount = byWeighting[0]?.length as number;
  const loss = (rows: Int32Array) =>
    1 -
    mean(byWeighting.map((recalls) => meanRecall(Float64Array.from(rows, (row) => recalls[row] as number))));
  const { low, high } = bootstrapDifference(loss, { rowCount, seed, resamples: 1_000 });
  return { mean: loss(Int32Array.from({ length: rowCount }, (_, row) => row)), low, high };
}

/** The recall that some queries have with some dimensions. */
class Meter {
  readonly #ladders: readonly SpaceLadder[];
  readonly #queries: readonly RowQuery[];
  readonly #recall: FusedRecall;

  private constructor(ladders: readonly SpaceLadder[], queries: readonly RowQuery[], recall: FusedRecall) {
    this.#ladders = ladders;
    this.#queries = queries;
    this.#recall = recall;
  }

  static async of(
    ladders: readonly SpaceLadder[],
    queries: readonly RowQuery[],
    candidates: number | undefined,
  ): Promise<Meter> {
    const rowCount = (ladders[0] as SpaceLadder).rowCount;
    const exact: Float32Array[] = [];
    for (const [at, ladder] of ladders.entries())
      exact.push(await ladder.cosines({ to: ladder.dimensions, by: null }, rowsAsked(queries, at)));
    const says = (query: number, space: number) =>
      (ladders[space] as SpaceLadder).says(queries[query]?.[space] as number);
    const weightings = weightingsOf(ladders.map(({ space }) => space));
    return new Meter(
      ladders,
      queries,
      new FusedRecall(weightings, { queries, exact, rowCount, candidates, says }),
    );
  }

  get weightings(): readonly Weighting[] {
    return this.#recall.weightings;
  }

  cosines(space: number, rung: Rung): Promise<Float32Array> {
    return (this.#ladders[space] as SpaceLadder).cosines(rung, rowsAsked(this.#queries, space));
  }

  ofQueries(cosines: SpaceCosines, weighting: number): Float64Array {
    return this.#recall.ofQueries(cosines, weighting);
  }

  /** By weighting and query. */
  async ofSplit(rungs: readonly Rung[]): Promise<readonly Float64Array[]> {
    const cosines: Float32Array[] = [];
    for (const [space, rung] of rungs.entries()) cosines.push(await this.cosines(space, rung));
    return this.weightings.map((_, weighting) => this.ofQueries(cosines, weighting));
  }
}

function rowsAsked(queries: readonly RowQuery[], space: number): Int32Array {
  return Int32Array.from(queries, (query) => query[space] as number);
}

interface Measured {
  readonly rung: Rung;
  readonly cosines: Float32Array;
}

/** The way from all dimensions down to the budget. Holds the cosines of what each space has, and of the ways to its next step. */
class Descent {
  readonly #ladders: readonly SpaceLadder[];
  readonly #meter: Meter;
  readonly #options: SplitDimensionsOptions;
  /** By weighting and the sizes of the spaces that count in it. */
  readonly #recalls = new Map<string, number>();

  constructor(ladders: readonly SpaceLadder[], meter: Meter, options: SplitDimensionsOptions) {
    this.#ladders = ladders;
    this.#meter = meter;
    this.#options = options;
  }

  async run(): Promise<{ rungs: readonly Rung[]; steps: readonly SplitStep[] }> {
    const { budget, onProgress } = this.#options;
    const current: Measured[] = [];
    const next: (readonly Measured[])[] = [];
    for (const [space, { dimensions }] of this.#ladders.entries()) {
      const rung = { to: dimensions, by: null };
      current.push({ rung, cosines: await this.#meter.cosines(space, rung) });
      next.push(await this.#below(space, dimensions));
    }
    const left = () => total(current.map(({ rung }) => rung));
    const all = left();
    const steps: SplitStep[] = [];
    while (left() > budget) {
      const before = mean(this.#measure(current));
      const taken = (space: number, { rung }: Measured, recall: number): SplitStep => {
        const { to: from } = (current[space] as Measured).rung;
        const dimensions = left() - from + rung.to;
        const lossPerDimension = (before - recall) / (from - rung.to);
        return {
          space: this.#ladders[space]?.space as string,
          from,
          ...rung,
          dimensions,
          recall,
          lossPerDimension,
        };
      };
      const trial = (space: number, to: Measured) => {
        return { space, to, step: taken(space, to, mean(this.#measure(current.with(space, to)))) };
      };
      let best = cheapest(next.flatMap((ways, space) => ways.map((to) => trial(space, to))));
      const spare = budget - best.step.dimensions;
      // The last step takes no more than it has to.
      if (spare > 0)
        best = cheapest(
          (await this.#waysTo(best.space, best.step.to + spare)).map((to) => trial(best.space, to)),
        );
      steps.push(best.step);
      current[best.space] = best.to;
      if (left() > budget) next[best.space] = await this.#below(best.space, best.step.to);
      onProgress?.({ stage: "steps", done: all - left(), total: all - budget, unit: "dimensions" });
    }
    return { rungs: current.map(({ rung }) => rung), steps };
  }

  /** Of each weighting. */
  async recallBy(rungs: readonly Rung[]): Promise<readonly number[]> {
    return (await this.#meter.ofSplit(rungs)).map(meanRecall);
  }

  async #below(space: number, size: number): Promise<readonly Measured[]> {
    const smaller = this.#ladders[space]?.sizes.find((one) => one < size);
    return smaller === undefined ? [] : this.#waysTo(space, smaller);
  }

  async #waysTo(space: number, to: number): Promise<readonly Measured[]> {
    const ways: Measured[] = [];
    for (const rung of (this.#ladders[space] as SpaceLadder).waysTo(to)) {
      // So that a signal is heard, and progress seen, between two ways.
      await new Promise(setImmediate);
      this.#options.signal.throwIfAborted();
      ways.push({ rung, cosines: await this.#meter.cosines(space, rung) });
    }
    return ways;
  }

  #measure(measured: readonly Measured[]): readonly number[] {
    return this.#meter.weightings.map(({ weights }, weighting) => {
      const sizes = measured.map(({ rung }, space) => (weights[space] === 0 ? "" : `${rung.to}${rung.by}`));
      const key = `${weighting}:${sizes.join()}`;
      const known = this.#recalls.get(key);
      if (known !== undefined) return known;
      const cosines = measured.map((one) => one.cosines);
      const recall = meanRecall(this.#meter.ofQueries(cosines, weighting));
      this.#recalls.set(key, recall);
      return recall;
    });
  }
}

interface Trial {
  readonly space: number;
  readonly to: Measured;
  readonly step: SplitStep;
}

function cheapest(trials: readonly Trial[]): Trial {
  return trials.reduce((least, one) =>
    one.step.lossPerDimension < least.step.lossPerDimension ? one : least,
  );
}
