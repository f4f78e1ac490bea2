import { strict as assert } from "node:assert";

/** As many as medley.search scores for ten hits. */
export const candidatesWanted = 20;
/** As many as it reads of a graph over fewer dimensions, which gives them in another order. */
export const shortenedWanted = 2 * candidatesWanted;

/** How much of a path is read: one step of its ladder. Rungs of one path are in order of depth. */
export interface Rung {
  /** 0 is the index over all spaces, else the space's place from 1. */
  readonly place: number;
  readonly depth: number;
  readonly ms: number;
}

/**
 * What the rungs find of the best rows of one weighted query: per rung the best rows (by any numbers) that are among its own, no
 * more than are wanted.
 */
export type Findings = readonly (readonly number[])[];

export interface Weighed {
  /** Per sampled query. */
  readonly findings: readonly Findings[];
}

/** The rungs it reads, at most one per path. */
export type Plan = readonly number[];

export interface LearnedPlans {
  readonly plans: readonly Plan[];
  /** By weighting and plan. */
  readonly outcomes: readonly (readonly Outcome[])[];
  /** Per plan, the milliseconds more where all of its paths are read once as far again. */
  readonly growths: readonly number[];
}

/** See `Tally.outcomeOf`. */
export interface Outcome {
  /** From 0 to 1. */
  readonly recall: number;
  readonly ms: number;
}

/**
 * Chooses plans. For each weighting and target the cheapest is looked for: the rung is added, or the path deepened, that
 * finds the most for what it costs, until the target is reached; then one or two paths at a time are read otherwise while that
 * is cheaper. All plans so found are measured at all weightings. Of many rungs only one path at a time is read otherwise.
 */
export function learnPlans(
  rungs: readonly Rung[],
  weightings: readonly Weighed[],
  {
    wanted,
    targets,
    candidates = candidatesWanted,
  }: {
    readonly wanted: number;
    readonly targets: readonly number[];
    /** Of the graph over all spaces, where fewer rows pass. */
    readonly candidates?: number;
  },
): LearnedPlans {
  const found = new Map<string, Plan>();
  const tallies = weightings.map(({ findings }) => new Tally(rungs, findings, wanted));
  for (const tally of tallies) {
    for (const target of targets) {
      const plan = cheapestPlan(rungs, tally, target);
      if (plan !== null) found.set(String(plan), plan);
    }
  }
  const plans = [...found.values()];
  return {
    plans,
    outcomes: tallies.map((tally) => plans.map((plan) => tally.outcomeOf(plan))),
    growths: plans.map((plan) => growthOf(plan, rungs, candidates)),
  };
}

/** A path is read so many rungs deeper where the paths disagree. */
const rungsDeeper = 2;

/** The rung that is read besides where the paths disagree; null: there is none deeper. */
export function deeperRung(rungs: readonly Rung[], rung: number): number | null {
  for (let deeper = rung + rungsDeeper; deeper > rung; deeper--) {
    if (rungs[deeper]?.place === rungs[rung]?.place) return deeper;
  }
  return null;
}

/** As many are counted as missed besides, so that few queries promise little. */
const missesBefore = 2;
/**
 * Of the normal distribution: 399 of 400 such samples find less than this many standard errors too much. With nineteen of twenty one of the
 * weightings that people ask for is soon below what it promises, since the cheapest of a hundred plans is often one that was lucky.
 */
const standardErrors = 2.8;
const rowsMax = 31;

/** How many of the best rows plans find at one weighting. Rows are bits: a rung that finds enough by itself has them all. */
export class Tally {
  readonly #rungs: readonly Rung[];
  readonly #wanted: number;
  /** Per query and rung. */
  readonly #rows: readonly Int32Array[];

  constructor(rungs: readonly Rung[], findings: readonly Findings[], wanted: number) {
    assert(wanted <= rowsMax);
    this.#rungs = rungs;
    this.#wanted = wanted;
    this.#rows = findings.map((query) => {
      const bits = new Map<number, number>();
      const bitOf = (row: number) => {
        // Rows beyond are so many equals that some rung has enough of them.
        if (!bits.has(row)) bits.set(row, bits.size < rowsMax ? 1 << bits.size : 0);
        return bits.get(row) as number;
      };
      return Int32Array.from(query, (rows) =>
        rows.length >= wanted ? -1 : rows.reduce((mask, row) => mask | bitOf(row), 0),
      );
    });
  }

  /**
   * The share found over all queries that can be relied on, since others may be harder: the lower end of a confidence interval. And
   * the mean cost: paths disagree where one of a space has a row of the best that the index over all spaces should have had, and
   * then all are read deeper.
   */
  outcomeOf(plan: Plan): Outcome {
    const ms = costOf(plan, this.#rungs);
    const count = this.#rows.length;
    if (count === 0) return { recall: 0, ms };
    const deeper = plan.map((rung) => deeperRung(this.#rungs, rung)).filter((rung) => rung !== null);
    const fused = plan.find((rung) => this.#rungs[rung]?.place === 0);
    let [sum, squares, disagreeing] = [0, 0, 0];
    for (const rows of this.#rows) {
      let union = unionOf(rows, plan);
      if (fused !== undefined && (union & ~(rows[fused] as number)) !== 0) {
        union |= unionOf(rows, deeper);
        disagreeing += 1;
      }
      const found = Math.min(bitCount(union), this.#wanted) / this.#wanted;
      sum += found;
      squares += found * found;
    }
    const variance = Math.max(0, squares / count - (sum / count) ** 2);
    const recall = sum / (count + missesBefore / this.#wanted) - standardErrors * Math.sqrt(variance / count);
    return { recall: Math.max(0, recall), ms: ms + (disagreeing / count) * costOf(deeper, this.#rungs) };
  }
}

function costOf(plan: Plan, rungs: readonly Rung[]): number {
  return plan.reduce((sum, rung) => sum + (rungs[rung] as Rung).ms, 0);
}

/**
 * By how much a row more takes between a rung and its path's last (the last: since the one before it). Where fewer rows pass, the graph over
 * all spaces is read on until there are as many candidates as without a filter; a path of one space, which is in another order, until as
 * many rows have passed.
 */
function growthOf(plan: Plan, rungs: readonly Rung[], candidates: number): number {
  return plan.reduce((sum, at) => {
    const { place, depth, ms } = rungs[at] as Rung;
    const others = rungs.filter((rung) => rung.place === place && rung.depth !== depth);
    const other = others.at(-1) ?? { depth: 0, ms: 0 };
    const perRowMs = (other.ms - ms) / (other.depth - depth);
    const rowsWanted = place === 0 ? Math.min(candidates, depth) : depth;
    return sum + rowsWanted * Math.max(perRowMs, 0);
  }, 0);
}

function unionOf(rows: Int32Array, plan: Plan): number {
  let union = 0;
  for (const rung of plan) union |= rows[rung] as number;
  return union;
}

/** Of 32 bits. */
function bitCount(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return (((fours + (fours >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

function cheapestPlan(rungs: readonly Rung[], tally: Tally, target: number): Plan | null {
  let plan: Plan = [];
  let { recall, ms } = tally.outcomeOf(plan);
  while (recall < target) {
    let best: { plan: Plan; recall: number; ms: number; worth: number } | null = null;
    for (const next of rungs.map((_, rung) => withRung(plan, rung, rungs))) {
      const reached = tally.outcomeOf(next);
      const gain = Math.min(reached.recall, target) - recall;
      if (gain <= 0) continue;
      const worth = gain / Math.max(reached.ms - ms, Number.EPSILON);
      if (best === null || worth > best.worth) best = { plan: next, ...reached, worth };
    }
    if (best === null) return null;
    ({ plan, recall, ms } = best);
  }
  return improved(plan, rungs, tally, target);
}

/** The rung instead of what the plan reads of the same path. */
function withRung(plan: Plan, rung: number, rungs: readonly Rung[]): Plan {
  const place = rungs[rung]?.place;
  return [...plan.filter((other) => rungs[other]?.place !== place), rung].sort((a, b) => a - b);
}

/** Pairs of more rungs are too many to try. */
const pairedRungsMax = 40;

function improved(plan: Plan, rungs: readonly Rung[], tally: Tally, target: number): Plan {
  const without = (of: Plan) => of.map((rung) => of.filter((other) => other !== rung));
  const otherwise = (of: Plan) => [...without(of), ...rungs.map((_, rung) => withRung(of, rung, rungs))];
  let best = { plan, ms: tally.outcomeOf(plan).ms };
  const inPairs = rungs.length <= pairedRungsMax;
  for (const other of otherwise(plan).flatMap((one) => (inPairs ? [one, ...otherwise(one)] : [one]))) {
    if (other.length === 0 || costOf(other, rungs) >= best.ms) continue;
    const { recall, ms } = tally.outcomeOf(other);
    if (recall >= target && ms < best.ms) best = { plan: other, ms };
  }
  return best.plan === plan ? plan : improved(best.plan, rungs, tally, target);
}
