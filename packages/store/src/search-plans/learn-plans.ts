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

export interface LearnedPlans {
  /** Each the rungs it reads, at most one per path; the last reads none and scans. */
  readonly plans: readonly (readonly number[])[];
  /** By weighting and plan, from 0 to 1. */
  readonly recalls: readonly (readonly number[])[];
}

/**
 * Chooses plans. For each weighting and target the cheapest is looked for: the rung is added, or the path deepened, that
 * finds the most for what it costs, until the target is reached; then what has become needless is taken away again. All plans so
 * found are measured at all weightings.
 */
export function learnPlans(
  rungs: readonly Rung[],
  weightings: readonly Weighed[],
  { wanted, targets }: { readonly wanted: number; readonly targets: readonly number[] },
): LearnedPlans {
  const found = new Map<string, readonly number[]>();
  for (const { findings } of weightings) {
    for (const target of targets) {
      const plan = cheapestPlan(rungs, findings, { wanted, target });
      if (plan !== null) found.set(String(plan), plan);
    }
  }
  const plans = [...found.values()];
  return {
    plans,
    recalls: weightings.map(({ findings }) => plans.map((plan) => recallOf(plan, findings, wanted))),
  };
}

/** Milliseconds of its rungs. */
export function costOf(plan: readonly number[], rungs: readonly Rung[]): number {
  return plan.reduce((sum, rung) => sum + (rungs[rung] as Rung).ms, 0);
}

/** As many are counted as missed besides, so that few queries promise little. */
const missesBefore = 2;

/** The share found over all queries. */
export function recallOf(plan: readonly number[], findings: readonly Findings[], wanted: number): number {
  if (findings.length === 0) return 0;
  const found = findings.reduce((sum, query) => {
    const union = new Set(plan.flatMap((rung) => query[rung] as readonly number[]));
    return sum + Math.min(union.size, wanted);
  }, 0);
  return found / (findings.length * wanted + missesBefore);
}

function cheapestPlan(
  rungs: readonly Rung[],
  findings: readonly Findings[],
  { wanted, target }: { wanted: number; target: number },
): readonly number[] | null {
  let plan: readonly number[] = [];
  let recall = 0;
  while (recall < target) {
    const steps = rungs
      .map((_, rung) => withRung(plan, rung, rungs))
      .filter((next) => costOf(next, rungs) > costOf(plan, rungs))
      .map((next) => {
        const reached = recallOf(next, findings, wanted);
        const gain = Math.min(reached, target) - recall;
        return { next, reached, worth: gain / (costOf(next, rungs) - costOf(plan, rungs)) };
      });
    const best = steps.reduce<(typeof steps)[0] | null>(
      (a, b) => (a === null || b.worth > a.worth ? b : a),
      null,
    );
    if (best === null || best.worth <= 0) return null;
    plan = best.next;
    recall = best.reached;
  }
  return withoutNeedless(plan, rungs, (less) => recallOf(less, findings, wanted) >= target);
}

/** The rung instead of what the plan reads of the same path. */
function withRung(plan: readonly number[], rung: number, rungs: readonly Rung[]): readonly number[] {
  const place = rungs[rung]?.place;
  return [...plan.filter((other) => rungs[other]?.place !== place), rung].sort((a, b) => a - b);
}

function withoutNeedless(
  plan: readonly number[],
  rungs: readonly Rung[],
  suffices: (less: readonly number[]) => boolean,
): readonly number[] {
  assert(suffices(plan));
  const lesser = plan.flatMap((rung) => {
    const without = plan.filter((other) => other !== rung);
    const shallower = rungs.flatMap((other, at) =>
      other.place === rungs[rung]?.place && other.depth < (rungs[rung] as Rung).depth
        ? [withRung(without, at, rungs)]
        : [],
    );
    return [without, ...shallower];
  });
  const best = lesser
    .filter((less) => less.length > 0 && suffices(less) && costOf(less, rungs) < costOf(plan, rungs))
    .sort((a, b) => costOf(a, rungs) - costOf(b, rungs))[0];
  return best === undefined ? plan : withoutNeedless(best, rungs, suffices);
}
