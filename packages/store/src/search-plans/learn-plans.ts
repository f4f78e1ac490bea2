import { strict as assert } from "node:assert";

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
  /** By weighting and plan, from 0 to 1. See `Tally.recallOf`. */
  readonly recalls: readonly (readonly number[])[];
}

/**
 * Chooses plans. For each weighting and target the cheapest is looked for: the rung is added, or the path deepened, that
 * finds the most for what it costs, until the target is reached; then one or two paths at a time are read otherwise while that
 * is cheaper. All plans so found are measured at all weightings.
 */
export function learnPlans(
  rungs: readonly Rung[],
  weightings: readonly Weighed[],
  { wanted, targets }: { readonly wanted: number; readonly targets: readonly number[] },
): LearnedPlans {
  const found = new Map<string, Plan>();
  const tallies = weightings.map(({ findings }) => new Tally(findings, wanted));
  for (const tally of tallies) {
    for (const target of targets) {
      const plan = cheapestPlan(rungs, tally, target);
      if (plan !== null) found.set(String(plan), plan);
    }
  }
  const plans = [...found.values()];
  return { plans, recalls: tallies.map((tally) => plans.map((plan) => tally.recallOf(plan))) };
}

/** Milliseconds of its rungs. */
export function costOf(plan: Plan, rungs: readonly Rung[]): number {
  return plan.reduce((sum, rung) => sum + (rungs[rung] as Rung).ms, 0);
}

/** As many are counted as missed besides, so that few queries promise little. */
const missesBefore = 2;
/** Of the normal distribution: 19 of 20 such samples find less than this many standard errors too much. */
const standardErrors = 1.645;
const rowsMax = 31;

/** How many of the best rows plans find at one weighting. Rows are bits: a rung that finds enough by itself has them all. */
export class Tally {
  readonly #wanted: number;
  /** Per query and rung. */
  readonly #rows: readonly Int32Array[];

  constructor(findings: readonly Findings[], wanted: number) {
    assert(wanted <= rowsMax);
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

  /** The share found over all queries that can be relied on, since others may be harder: the lower end of a confidence interval. */
  recallOf(plan: Plan): number {
    const count = this.#rows.length;
    if (count === 0) return 0;
    let [sum, squares] = [0, 0];
    for (const rows of this.#rows) {
      let union = 0;
      for (const rung of plan) union |= rows[rung] as number;
      const found = Math.min(bitCount(union), this.#wanted) / this.#wanted;
      sum += found;
      squares += found * found;
    }
    const variance = Math.max(0, squares / count - (sum / count) ** 2);
    return Math.max(
      0,
      sum / (count + missesBefore / this.#wanted) - standardErrors * Math.sqrt(variance / count),
    );
  }
}

/** Of 32 bits. */
function bitCount(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return (((fours + (fours >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

function cheapestPlan(rungs: readonly Rung[], tally: Tally, target: number): Plan | null {
  let plan: Plan = [];
  let recall = 0;
  while (recall < target) {
    const cost = costOf(plan, rungs);
    let best: { next: Plan; reached: number; worth: number } | null = null;
    for (const next of rungs.map((_, rung) => withRung(plan, rung, rungs))) {
      const more = costOf(next, rungs) - cost;
      if (more <= 0) continue;
      const reached = tally.recallOf(next);
      const worth = (Math.min(reached, target) - recall) / more;
      if (best === null || worth > best.worth) best = { next, reached, worth };
    }
    if (best === null || best.worth <= 0) return null;
    ({ next: plan, reached: recall } = best);
  }
  return improved(plan, rungs, (other) => tally.recallOf(other) >= target);
}

/** The rung instead of what the plan reads of the same path. */
function withRung(plan: Plan, rung: number, rungs: readonly Rung[]): Plan {
  const place = rungs[rung]?.place;
  return [...plan.filter((other) => rungs[other]?.place !== place), rung].sort((a, b) => a - b);
}

function improved(plan: Plan, rungs: readonly Rung[], suffices: (other: Plan) => boolean): Plan {
  assert(suffices(plan));
  const without = (of: Plan) => of.map((rung) => of.filter((other) => other !== rung));
  const otherwise = (of: Plan) => [...without(of), ...rungs.map((_, rung) => withRung(of, rung, rungs))];
  const cost = costOf(plan, rungs);
  const cheaper = otherwise(plan)
    .flatMap((one) => [one, ...otherwise(one)])
    .map((other) => ({ other, ms: costOf(other, rungs) }))
    .filter(({ other, ms }) => other.length > 0 && ms < cost)
    .sort((a, b) => a.ms - b.ms)
    .find(({ other }) => suffices(other));
  return cheaper === undefined ? plan : improved(cheaper.other, rungs, suffices);
}
