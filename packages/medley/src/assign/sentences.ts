import { isTrainedSpace, isTunedSpace, type SpaceDefinition } from "@medley/core";
import type {
  ArmReport,
  Decision,
  Estimate,
  LearnedWeights,
  SpaceChoice,
  TaskReport,
} from "@medley/training";
import type { Assignment } from "./assign-collection.ts";
import type { Candidate } from "./candidates.ts";
import type { SpacePlan } from "./decisions.ts";
import { megabytesOf } from "./memory-budget.ts";

/** What an arm is called beside the others of its comparison: a candidate of one space, or spaces with their weights. */
export function armNames({ arms }: Decision): readonly string[] {
  const isFusion = arms.some(({ parts }) => parts.length > 1);
  return arms.map(({ parts }) => {
    if (!isFusion) return parts[0]?.candidate as string;
    return parts.map(({ space, weight }) => (weight === 1 ? space : `${weight} x ${space}`)).join(" + ");
  });
}

const countedBy: Record<TaskReport["kind"], string> = {
  classification: "labelled records",
  regression: "labelled records",
  forecasting: "records with a future",
  retrieval: "judged queries",
  pairs: "records with pairs",
};

/** What came of a comparison, in a sentence. */
export function decisionSentence(
  decision: Decision,
  verdict: SpaceChoice["verdict"],
  kind: TaskReport["kind"],
): string {
  const { chosen, best, test, recordsToDecide } = decision;
  const names = armNames(decision);
  const confirms = test.isConfirmed ? "which confirms it" : "which does not confirm it";
  const onTest = `on the test records ${estimate(test.chosen)}, ${confirms}`;
  switch (verdict) {
    case "no_evidence":
      return "no evidence: nothing here tells more than the baseline";
    case "best":
      return `chosen: ${names[chosen]}, the best, and all that is cheaper is worse; ${onTest}`;
    case "as_good":
      return `chosen: ${names[chosen]}, the cheapest that is not worse than ${names[best]}; ${onTest}`;
    case "undecided":
      return (
        `not enough data to tell whether ${names[chosen]}, which is cheaper, is as good as ${names[best]}: ` +
        `about ${recordsToDecide?.toLocaleString("en-US")} ${countedBy[kind]} would`
      );
  }
}

/** What a bound of memory has changed. */
export function memorySentences({ recordsAsked, recordsMax, skipped }: Assignment): readonly string[] {
  const [asked, drawn] = [recordsAsked, recordsMax].map((records) => records.toLocaleString("en-US"));
  const fewer = `to compare ${asked} records takes more memory than is allowed: at most ${drawn} are drawn`;
  return [
    ...(recordsMax < recordsAsked ? [fewer] : []),
    ...skipped.map(
      ({ candidate, bytes }) =>
        `left out: ${candidate.space} by ${candidate.name}, which would take about ${megabytesOf(bytes)} MB of memory`,
    ),
  ];
}

type Origin = "custom" | "fine-tuned" | "pre-trained" | "closed form";

function originOf(definition: SpaceDefinition): Origin {
  if (isTrainedSpace(definition)) return "custom";
  if (isTunedSpace(definition)) return "fine-tuned";
  return ["text", "image", "audio", "remote"].includes(definition.encoder) ? "pre-trained" : "closed form";
}

/** Custom or pre-trained, for this space and these records? Null where there is only one kind. */
export function originSentence(
  { arms, best }: Decision,
  { space, candidates }: { readonly space: string; readonly candidates: readonly Candidate[] },
): string | null {
  const originOfArm = ({ parts }: ArmReport): Origin => {
    const candidate = candidates.find((one) => one.space === space && one.name === parts[0]?.candidate);
    return originOf((candidate as Candidate).definition);
  };
  const leaders = [...Map.groupBy(arms, originOfArm)].map(([origin, of]) => {
    const arm = of.reduce((most, other) => (other.validation.mean > most.validation.mean ? other : most));
    return { origin, arm };
  });
  if (leaders.length < 2) return null;
  leaders.sort((a, b) => b.arm.validation.mean - a.arm.validation.mean);
  const winner = originOfArm(arms[best] as ArmReport);
  const shown = leaders.map(
    ({ origin, arm }) =>
      `${origin} ${figure(arm.validation.mean)} at ${arm.cost.millisecondsPerRecord.toFixed(2)} ms a record`,
  );
  const rest = leaders
    .filter(({ origin }) => origin !== winner)
    .map(({ origin, arm: { behind } }) =>
      behind.low > 0
        ? `${winner} is better than ${origin} by ${figure(behind.difference)} (${figure(behind.low)} to ${figure(behind.high)})`
        : `these records show no difference between ${winner} and ${origin}`,
    );
  return `${shown.join(", ")}: ${rest.join("; ")}`;
}

const whyStays: Record<SpacePlan["verdict"], string> = {
  ...{ best: "it serves", as_good: "it serves", undecided: "not enough data to tell" },
  ...{ no_evidence: "no evidence", skipped: "left out for its memory" },
};

/** What the lock is to say of a space. */
export function planSentence(
  { place, verdict, current, proposed, changes }: SpacePlan,
  isWritten: boolean,
): string {
  if (proposed === null) {
    return `${place}: stays with ${current} (${whyStays[verdict]})`;
  }
  if (!changes) return `${place}: ${isWritten ? "is" : "stays"} ${current}`;
  return `${place}: ${isWritten ? "from now on" : "would change to"} ${proposed.name}, was ${current}`;
}

/** Whether weights were learned that are better than equal ones, and whether those of a class are better than these. */
export function weightsSentences(learned: LearnedWeights): readonly string[] {
  return [
    weightsSentence(learned, "equal"),
    ...learned.classes.map(
      (one) =>
        `class ${one.class} (${one.queries.validation} + ${one.queries.test} queries): ${weightsSentence(one, "the shared")}`,
    ),
  ];
}

function weightsSentence(
  { weights, validation, test, isUsed }: Omit<LearnedWeights, "classes">,
  others: string,
): string {
  const learned = weights.map(
    ({ space, weight, low, high }) =>
      `${space} ${weight.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`,
  );
  const gain = ({ difference, low, high }: LearnedWeights["test"]) =>
    `${figure(difference)} (${figure(low)} to ${figure(high)})`;
  const against = `beside ${others} ones ${gain(validation)} on records that they were not learned from, ${gain(test)} on the test records`;
  return `weights ${isUsed ? "learned" : "refused"}: ${learned.join(", ")}; ${against}`;
}

function estimate({ mean, low, high }: Estimate): string {
  return `${figure(mean)} (${figure(low)} to ${figure(high)})`;
}

export function figure(value: number): string {
  return value.toFixed(3);
}
