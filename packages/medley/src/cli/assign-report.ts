import type { Decision, Estimate, SpaceDecision, TaskReport } from "@medley/training";
import type { Assignment } from "../assign/assign-collection.ts";
import type { Candidate } from "../assign/candidates.ts";
import type { SpacePlan } from "../assign/decisions.ts";
import {
  armNames,
  decisionSentence,
  figure,
  memorySentences,
  originSentence,
  planSentence,
  weightsSentences,
} from "../assign/sentences.ts";
import { table } from "./output.ts";
import { count, megabytes } from "./progress.ts";

export interface AssignmentOutcome {
  readonly plans: readonly SpacePlan[];
  /** Null: equal ones, or the configuration's. */
  readonly weights: Readonly<Record<string, number>> | null;
  /** By class of searches. */
  readonly classes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly isWritten: boolean;
  /** Of the page, or of the folder where it was ended early. */
  readonly path: string;
}

export const storedNote =
  "rows that are stored by now hold segments of what served before, and services that start refuse them (schema_conflict): make them " +
  "anew beside those with medley apply, or go back to the lock as it was";

/** What an assignment found, for a terminal. */
export function assignmentText(
  assignment: Assignment,
  { plans, weights, classes, isWritten, path }: AssignmentOutcome,
): string {
  const { collection, sample, seed, tasks, measured, candidates, isComplete } = assignment;
  const { train, validation, test } = sample.split;
  const used = train.length + validation.length + test.length;
  const head =
    `${collection.name}: ${count(train.length)} records to train on, ${count(validation.length)} to choose by, ` +
    `${count(test.length)} to confirm by (${count(used)} of ${count(sample.recordsRead)}, ${sample.by === "time" ? "parted by time, " : ""}seed ${seed})`;
  if (!isComplete) {
    return [
      head,
      ...memorySentences(assignment),
      `ended with ${measured} of ${candidates.length} candidates measured, kept in ${path}: the same command goes on with the others`,
    ].join("\n");
  }
  const ofClasses = Object.entries(classes).filter(([, of]) => Object.keys(of).length > 0);
  const changes = weights !== null || ofClasses.length > 0 || plans.some((plan) => plan.changes);
  return [
    head,
    ...memorySentences(assignment),
    ...tasks.flatMap((task) => taskText(task, candidates)),
    "",
    ...plans.map((plan) => planSentence(plan, isWritten)),
    ...(weights === null
      ? []
      : [`${collection.name}: weights ${JSON.stringify(weights)} where a search names none`]),
    ...ofClasses.map(([name, of]) => {
      return `${collection.name}: weights ${JSON.stringify(of)} in searches of class ${JSON.stringify(name)}`;
    }),
    ...(changes && !isWritten ? ["nothing was written: --apply writes it into medley.lock.json"] : []),
    ...(isWritten && plans.some((plan) => plan.changes) ? [storedNote] : []),
    `the report with its charts: ${path}`,
  ].join("\n");
}

const measures: Record<TaskReport["kind"], string> = {
  classification: "accuracy",
  regression: "1 - error / error of the median",
  forecasting: "1 - squared error / that of the mean future",
  retrieval: "nDCG@10",
  pairs: "nDCG@10",
};

function taskText(report: TaskReport, candidates: readonly Candidate[]): string[] {
  const { task, kind, baseline, rows, spaces, fusions, weights, hasEvidence } = report;
  const known =
    kind === "retrieval" || kind === "pairs"
      ? `queries: ${rows.validation} + ${rows.test}, over ${count(rows.train)} records`
      : `labels: ${rows.train} + ${rows.validation} + ${rows.test}`;
  return [
    "",
    `task ${task} (${kind}; ${measures[kind]}; the baseline has ${figure(baseline)}; ${known})`,
    ...spaces.flatMap((one) => spaceText(one, report, candidates)),
    ...(fusions === null || !hasEvidence
      ? []
      : [
          "",
          "  spaces together",
          ...decisionText(fusions, baseline),
          `  ${decisionSentence(fusions, fusions.verdict, kind)}`,
          ...(weights === null ? [] : weightsSentences(weights).map((sentence) => `  ${sentence}`)),
        ]),
  ];
}

function spaceText(
  { space, decision, verdict }: SpaceDecision,
  { kind, baseline }: TaskReport,
  candidates: readonly Candidate[],
): string[] {
  const origins = originSentence(decision, { space, candidates });
  return [
    "",
    `  space ${space}`,
    ...decisionText(decision, baseline),
    `  ${decisionSentence(decision, verdict, kind)}`,
    ...(origins === null ? [] : [`  ${origins}`]),
  ];
}

function decisionText(decision: Decision, baseline: number): string[] {
  const { arms, chosen } = decision;
  const names = armNames(decision);
  const estimates = arms.map(({ validation }) => validation);
  const [low, high] = [
    Math.min(baseline, ...estimates.map((one) => one.low)),
    Math.max(...estimates.map((one) => one.high)),
  ];
  const rows = arms.map((arm, at) => [
    at === chosen ? ">" : "",
    names[at] as string,
    figure(arm.validation.mean),
    bar(arm.validation, low, high),
    `${figure(arm.behind.difference)} (${figure(arm.behind.low)} to ${figure(arm.behind.high)})`,
    arm.cost.millisecondsPerRecord.toFixed(2),
    arm.cost.bytesPerRecord,
    arm.cost.modelBytes === 0 ? "-" : megabytes(arm.cost.modelBytes),
    arm.cost.trainingSeconds === 0 ? "-" : arm.cost.trainingSeconds.toFixed(1),
  ]);
  const head = [
    "",
    "candidate",
    "score",
    `${figure(low)} to ${figure(high)}`,
    "behind the best",
    "ms/record",
    "bytes/record",
    "model",
    "training s",
  ];
  return table(head, rows)
    .split("\n")
    .map((line) => `  ${line}`);
}

const barCells = 24;

/** `   ---o----      `: the interval and its middle between `low` and `high`. */
function bar({ mean, low: from, high: to }: Estimate, low: number, high: number): string {
  const place = (value: number) => Math.round(((value - low) / (high - low || 1)) * (barCells - 1));
  return Array.from({ length: barCells }, (_, cell) => {
    if (cell === place(mean)) return "o";
    return cell >= place(from) && cell <= place(to) ? "-" : ".";
  }).join("");
}
