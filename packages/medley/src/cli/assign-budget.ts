import { relative } from "node:path";
import { canonicalJson } from "@medley/core";
import type { DimensionSplit } from "@medley/training";
import type { DimensionAssignment } from "../assign/dimensions/assign-dimensions.ts";
import { dimensionPage } from "../assign/dimensions/dimension-page.ts";
import { type DimensionPlan, dimensionPlanOf, writeDimensions } from "../assign/dimensions/dimension-plan.ts";
import { lossSentence, shareSentence, wayOf } from "../assign/dimensions/dimension-sentences.ts";
import { figure } from "../assign/sentences.ts";
import type { Working } from "./assign.ts";
import { storedNote } from "./assign-report.ts";
import { type Outcome, table } from "./output.ts";
import { count } from "./progress.ts";
import { trainChosen } from "./train-chosen.ts";

/** What came of `medley assign --budget`: written at once where it is the collection's first, else with `--apply`. */
export async function budgetOutcome(assignment: DimensionAssignment, working: Working): Promise<Outcome> {
  const { context, config, given } = working;
  const { collection, folder, measured, candidates, split } = assignment;
  const shownFolder = relative(context.directory, folder.path);
  if (split === null) {
    const text =
      `${headOf(assignment)}\nended with ${measured} of ${candidates.length} spaces encoded, kept in ${shownFolder}: ` +
      "the same command goes on from there";
    return { exitCode: 130, data: dataOf(assignment, { plan: null, isWritten: false }), text };
  }
  const plan = dimensionPlanOf(collection.name, split, config.lock);
  const isWritten = given.plan !== true && (plan.current === null || given.apply === true);
  const notes = isWritten ? await apply(assignment, plan, working) : [];
  const page = await folder.write("dimensions.html", dimensionPage(assignment, split));
  const data = dataOf(assignment, { plan, isWritten });
  await folder.write("dimensions.json", `${JSON.stringify(data, null, 2)}\n`);
  const shares = split.spaces.map((share) =>
    shareSentence(`${collection.name}.${share.space}`, share, isWritten),
  );
  const lines = [
    headOf(assignment),
    "",
    splitText(split),
    "",
    ...shares,
    ...(plan.changes && !isWritten ? ["nothing was written: --apply writes it into medley.lock.json"] : []),
    ...(isWritten && plan.changes ? [storedNote] : []),
    `the report with its charts: ${relative(context.directory, page)}`,
    ...notes,
  ];
  return { exitCode: 0, data, text: lines.join("\n") };
}

async function apply(
  assignment: DimensionAssignment,
  { current, proposed }: DimensionPlan,
  working: Working,
): Promise<string[]> {
  const { name } = assignment.collection;
  const lockFile = working.config.lock.file as string;
  await writeDimensions(lockFile, assignment, { proposed, nowMs: Date.now() });
  const places = Object.entries(proposed).map(([space, reduced]) => ({
    place: `${name}.${space}`,
    changes: canonicalJson(reduced) !== canonicalJson(current?.[space] ?? null),
  }));
  return trainChosen(places, working);
}

function headOf({ collection, budget, sample, seed }: DimensionAssignment): string {
  const { train, validation, test } = sample.split;
  return (
    `${collection.name}: a budget of ${count(budget)} dimensions; ${count(train.length)} records to fit axes to, ${count(validation.length)} to ` +
    `choose by, ${count(test.length)} to confirm by (of ${count(sample.recordsRead)}, seed ${seed})`
  );
}

function splitText(split: DimensionSplit): string {
  const shares = split.spaces.map((share) => [share.space, share.from, share.to, wayOf(share)]);
  const weightings = split.weightings.map((one) => [one.name, figure(one.validation), figure(one.test)]);
  return [
    table(["space", "from", "to", "by"], shares),
    "",
    table(["recall@10 with weights", "choosing", "others"], weightings),
    "",
    lossSentence(split),
  ].join("\n");
}

function dataOf(
  { collection, budget, seed, sample, folder, measured, candidates, split }: DimensionAssignment,
  { plan, isWritten }: { readonly plan: DimensionPlan | null; readonly isWritten: boolean },
): object {
  const { train, validation, test } = sample.split;
  return {
    ...{ collection: collection.name, budget, seed, folder: folder.path },
    ...{ spaces: candidates.length, measured, isWritten },
    data: sample.fingerprint,
    records: {
      read: sample.recordsRead,
      train: train.length,
      validation: validation.length,
      test: test.length,
    },
    plan,
    split,
  };
}
