import type { ArmReport, SpaceDecision, TaskReport } from "./assign-task.ts";
import type { Verdict } from "./choose.ts";
import { compareCosts } from "./cost.ts";

/** What a space is to be encoded by, over all tasks. */
export interface SpaceChoice {
  readonly space: string;
  readonly verdict: Verdict | "no_evidence";
  /** Null: no evidence. Where it is undecided, what would be chosen if it had to be. */
  readonly candidate: string | null;
}

/**
 * The cheapest candidate of each space that is worse than the best in no task; where there is none, in the fewest tasks. Tasks of which the
 * space tells nothing have no say.
 */
export function spaceChoices(reports: readonly TaskReport[]): readonly SpaceChoice[] {
  const decisions = reports.flatMap(({ spaces }) => spaces);
  return [...Map.groupBy(decisions, ({ space }) => space)].map(([space, all]) => {
    const telling = all.filter(({ verdict }) => verdict !== "no_evidence");
    return telling.length === 0
      ? { space, verdict: "no_evidence", candidate: null }
      : { space, ...chosenIn(telling) };
  });
}

interface Standing {
  readonly candidate: string;
  readonly arm: ArmReport;
  /** Tasks in which it is known to be worse than the best. */
  readonly worse: number;
  readonly isBest: boolean;
}

function chosenIn(decisions: readonly SpaceDecision[]): Omit<SpaceChoice, "space"> {
  const arms = decisions.flatMap(({ decision }) =>
    decision.arms.map((arm, at) => ({ arm, decision, at, candidate: arm.parts[0]?.candidate as string })),
  );
  const standings = [...Map.groupBy(arms, ({ candidate }) => candidate)].map(([candidate, of]): Standing => {
    const isWorse = ({ arm, decision, at }: (typeof of)[number]) =>
      at !== decision.best && arm.behind.low > 0;
    const isBest = of.every(({ decision, at }) => at === decision.best);
    return { candidate, arm: of[0]?.arm as ArmReport, worse: of.filter(isWorse).length, isBest };
  });
  const chosen = standings.reduce((best, other) => (compare(other, best) < 0 ? other : best));
  const isUndecided = decisions.some(({ decision }) => {
    const arm = decision.arms[decision.chosen];
    return decision.verdict === "undecided" && arm?.parts[0]?.candidate === chosen.candidate;
  });
  const verdict = isUndecided ? "undecided" : chosen.isBest ? "best" : "as_good";
  return { candidate: chosen.candidate, verdict };
}

function compare(a: Standing, b: Standing): number {
  return a.worse - b.worse || compareCosts(a.arm.cost, b.arm.cost) || Number(b.isBest) - Number(a.isBest);
}
