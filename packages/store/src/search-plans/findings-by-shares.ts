import type { Findings, Weighed } from "./learn-plans.ts";
import { sharesOf, type Weighting } from "./weightings.ts";

/** Fewer say too little: those of the nearest shares are taken with them. */
const findingsMin = 40;

/** What rungs found, by the shares that spaces had in the weighted query, as a search is looked up by them. */
export class FindingsByShares {
  readonly #groups = new Map<string, { readonly shares: readonly number[]; readonly findings: Findings[] }>();

  /** `sides`: per space, 1 where the query lies on the side of most rows, -1 on the far side, 0 where it says nothing of it. */
  add(weights: Weighting, sides: readonly number[], findings: Findings): void {
    const shares = sharesOf(weights.map((weight, space) => weight * (sides[space] as number)));
    const key = shares.map((share) => share.toFixed(6)).join();
    const group = this.#groups.get(key) ?? { shares, findings: [] };
    group.findings.push(findings);
    this.#groups.set(key, group);
  }

  /** Each with at least as many findings as say enough, where there are so many. */
  all(): (Weighed & { readonly shares: readonly number[] })[] {
    const groups = [...this.#groups.values()];
    return groups.map(({ shares, findings: own }) => {
      if (own.length >= findingsMin) return { shares, findings: own };
      const findings: Findings[] = [];
      const near = groups
        .map((group) => ({ group, distance: distance(group.shares, shares) }))
        .sort((a, b) => a.distance - b.distance);
      for (const { group } of near) {
        if (findings.length < findingsMin) findings.push(...group.findings);
      }
      return { shares, findings };
    });
  }
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.hypot(...a.map((x, space) => x - (b[space] as number)));
}
