import type { Decision, Estimate, SpaceChoice } from "@medley/training";
import type { SpacePlan } from "./decisions.ts";

/** What came of a comparison, in a sentence. */
export function decisionSentence(decision: Decision, verdict: SpaceChoice["verdict"]): string {
  const { arms, chosen, best, test, recordsToDecide } = decision;
  const nameOf = (at: number) =>
    arms[at]?.parts
      .map(({ space, candidate }) => (arms.length > 1 && isFusion(decision) ? space : candidate))
      .join(" + ") as string;
  const interval = ({ mean, low, high }: Estimate) => `${figure(mean)} (${figure(low)} to ${figure(high)})`;
  const onTest = `on the test records ${interval(test.chosen)}, ${test.isConfirmed ? "which confirms it" : "which does not confirm it"}`;
  switch (verdict) {
    case "no_evidence":
      return "no evidence: nothing here tells more than the baseline";
    case "best":
      return `chosen: ${nameOf(chosen)}, the best, and all that is cheaper is worse; ${onTest}`;
    case "as_good":
      return `chosen: ${nameOf(chosen)}, the cheapest that is not worse than ${nameOf(best)}; ${onTest}`;
    case "undecided":
      return (
        `not enough data to tell whether ${nameOf(chosen)}, which is cheaper, is as good as ${nameOf(best)}: ` +
        `about ${recordsToDecide?.toLocaleString("en-US")} labelled records would`
      );
  }
}

function isFusion({ arms }: Decision): boolean {
  return arms.some(({ parts }) => parts.length > 1);
}

/** What the lock is to say of a space. */
export function planSentence(
  { place, verdict, current, proposed, changes }: SpacePlan,
  isWritten: boolean,
): string {
  if (proposed === null) {
    const why = verdict === "no_evidence" ? "no evidence" : "not enough data to tell";
    return `${place}: stays with ${current} (${why})`;
  }
  if (!changes) return `${place}: ${isWritten ? "is" : "stays"} ${current}`;
  return `${place}: ${isWritten ? "from now on" : "would change to"} ${proposed.name}, was ${current}`;
}

function figure(value: number): string {
  return value.toFixed(3);
}
