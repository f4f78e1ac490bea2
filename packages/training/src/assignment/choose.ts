import type { Behind } from "./compare-arms.ts";
import { type Cost, compareCosts } from "./cost.ts";

/**
 * `best`: the cheapest is also the best, or all that are cheaper are worse. `as_good`: it is cheaper, and the best is better by no more
 * than the margin. `undecided`: it may be as good, or worse by more than the margin; more records would tell.
 */
export type Verdict = "best" | "as_good" | "undecided";

export interface Choice {
  readonly best: number;
  readonly chosen: number;
  readonly verdict: Verdict;
}

/** The cheapest arm that is not known to be worse than the best one. */
export function cheapestAsGood(
  arms: readonly { readonly cost: Cost; readonly behind: Behind }[],
  { best, margin }: { readonly best: number; readonly margin: number },
): Choice {
  const costOf = (arm: number) => arms[arm]?.cost as Cost;
  const chosen = [...arms.keys()]
    .filter((arm) => arm === best || (arms[arm]?.behind.low as number) <= 0)
    .reduce((cheapest, arm) => {
      const order = compareCosts(costOf(arm), costOf(cheapest));
      return order < 0 || (order === 0 && arm === best) ? arm : cheapest;
    }, best);
  if (chosen === best) return { best, chosen, verdict: "best" };
  const isAsGood = (arms[chosen]?.behind.high as number) <= margin;
  return { best, chosen, verdict: isAsGood ? "as_good" : "undecided" };
}

/** About how many rows it would take to tell: until the interval ends below the margin, or begins above 0, whichever is sooner. */
export function rowsToDecide(rows: number, { difference, high }: Behind, margin: number): number {
  return Math.ceil(rows * ((high - difference) / Math.max(margin - difference, difference)) ** 2);
}
