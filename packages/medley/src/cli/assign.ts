import { relative } from "node:path";
import { type Collection, MedleyError, suggestion } from "@medley/core";
import { chooseDevice, type Device, type DeviceChoice } from "@medley/models";
import type { TrainingProgress } from "@medley/training";
import { type Assignment, assignCollection } from "../assign/assign-collection.ts";
import {
  classWeightsOf,
  plansOf,
  type SpacePlan,
  wasAssigned,
  weightsOf,
  writeDecisions,
} from "../assign/decisions.ts";
import { assignDimensions } from "../assign/dimensions/assign-dimensions.ts";
import { megabytesOf } from "../assign/memory-budget.ts";
import { reportPage } from "../assign/report-page.ts";
import { beforeReduction } from "../config/assigned-collection.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import type { TrainingRecords } from "../train/training-records.ts";
import { budgetOutcome } from "./assign-budget.ts";
import { type AssignmentOutcome, assignmentText } from "./assign-report.ts";
import { CandidateLine } from "./candidate-line.ts";
import { type Context, configOf, settingsOf } from "./context.ts";
import type { Outcome } from "./output.ts";
import { openRecordsFrom } from "./records-from.ts";
import { trainChosen, untrainedNotes } from "./train-chosen.ts";

export interface AssignArguments {
  readonly from?: string;
  readonly plan?: boolean;
  readonly apply?: boolean;
  readonly seed: number;
  readonly records: number;
  /** Dimensions of all spaces together, to be shared among them; candidates are not measured then. */
  readonly budget?: number;
  /** Megabytes. */
  readonly memory?: number;
  readonly minutes?: number;
  readonly threads: number;
  readonly device: DeviceChoice;
}

/** `medley assign [COLLECTION]`: exit code 130 where it was ended before all candidates were measured. */
export async function assignCommand(
  context: Context,
  name: string | undefined,
  given: AssignArguments,
): Promise<Outcome> {
  if (given.plan && given.apply) {
    throw new MedleyError("usage", "--plan and --apply exclude each other", { mend: "give one of them" });
  }
  if (given.budget !== undefined && given.memory !== undefined) {
    throw new MedleyError(
      "usage",
      "--budget shares dimensions of all spaces at once: --memory says nothing of it",
      {
        mend: "draw fewer records with --records: it takes 12 bytes for each record and dimension",
      },
    );
  }
  const config = await configOf(context);
  const collection = beforeReduction(collectionOf(config, name), config.lock);
  const device = await chooseDevice(given.device);
  await using resources = new AsyncDisposableStack();
  const { from, seed, threads } = given;
  const records = await openRecordsFrom(context, {
    collection,
    ...(from === undefined ? {} : { from }),
    resources,
  });
  const line = new CandidateLine(collection.name);
  resources.defer(async () => line.stop());
  const working: Working = { context, config, records, given, device, line };
  const options = {
    ...{ collection, records, seed, threads, device },
    lock: config.lock,
    environment: settingsOf(context).environment,
    recordsMax: given.records,
    signal: signalOf(context, given),
    onProgress: (candidate: string, progress: TrainingProgress) => line.update(candidate, progress),
  };
  if (given.budget !== undefined) {
    const shared = await assignDimensions({ ...options, budget: given.budget });
    line.stop();
    return await budgetOutcome(shared, working);
  }
  const bound = given.memory === undefined ? {} : { memoryBytesMax: given.memory * 2 ** 20 };
  const assignment = await assignCollection({ ...options, ...bound });
  line.stop();
  return await outcomeOf(assignment, working);
}

export interface Working {
  readonly context: Context;
  readonly config: LoadedConfig;
  readonly records: TrainingRecords;
  readonly given: AssignArguments;
  readonly device: Device;
  readonly line: CandidateLine;
}

function collectionOf({ collections, file }: LoadedConfig, name: string | undefined): Collection {
  const names = [...collections.keys()];
  const [only] = names;
  if (name === undefined && names.length > 1) {
    throw new MedleyError("usage", `${file} has ${names.length} collections`, {
      mend: `name one: medley assign ${names.join(" | ")}`,
    });
  }
  const collection = collections.get(name ?? (only as string));
  if (collection !== undefined) return collection;
  throw new MedleyError("collection_unknown", `there is no collection "${name}"`, {
    mend: suggestion(name as string, names),
  });
}

function signalOf({ signal }: Context, { minutes }: AssignArguments): AbortSignal {
  return minutes === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(minutes * 60_000)]);
}

async function outcomeOf(assignment: Assignment, working: Working): Promise<Outcome> {
  const { context, config, given } = working;
  const { folder, isComplete } = assignment;
  const plans = plansOf(assignment);
  const isFirst = !wasAssigned(assignment.collection, config.lock);
  const writes = isComplete && given.plan !== true && (isFirst || given.apply === true);
  const notes = writes
    ? await apply(assignment, plans, working)
    : untrainedNotes(assignment.collection, config.lock);
  const shown = isComplete ? await folder.write("report.html", reportPage(assignment, plans)) : folder.path;
  const weights = weightsOf(assignment, config.lock);
  const classes = classWeightsOf(assignment, config.lock);
  const data = dataOf(assignment, { plans, weights, classes, isWritten: writes });
  if (isComplete) await folder.write("report.json", `${JSON.stringify(data, null, 2)}\n`);
  const text = assignmentText(assignment, {
    plans,
    weights,
    classes,
    isWritten: writes,
    path: relative(context.directory, shown),
  });
  return { exitCode: isComplete ? 0 : 130, data, text: [text, ...notes].join("\n") };
}

/** Writes the choices, then trains on all records what they name, and what serves besides and was never trained. */
async function apply(
  assignment: Assignment,
  plans: readonly SpacePlan[],
  { context, config, records, given, device, line }: Working,
): Promise<string[]> {
  const lockFile = config.lock.file as string;
  await writeDecisions(lockFile, assignment, { lock: config.lock, nowMs: Date.now() });
  const places = assignment.collection.spaces.map(({ name }) => {
    const place = `${assignment.collection.name}.${name}`;
    return { place, changes: plans.some((plan) => plan.place === place && plan.changes) };
  });
  return trainChosen(places, { context, config, records, given, device, line });
}

function dataOf(
  assignment: Assignment,
  { plans, weights, classes, isWritten }: Omit<AssignmentOutcome, "path">,
): object {
  const { collection, seed, sample, candidates, measured, skipped, folder, tasks, choices } = assignment;
  const { train, validation, test } = sample.split;
  return {
    ...{
      collection: collection.name,
      seed,
      folder: folder.path,
      candidates: candidates.length,
      measured,
      isWritten,
    },
    data: sample.fingerprint,
    records: {
      read: sample.recordsRead,
      drawnMax: assignment.recordsMax,
      parted: sample.by,
      train: train.length,
      validation: validation.length,
      test: test.length,
    },
    skipped: skipped.map(({ candidate, reason, bytes }) => ({
      ...{ space: candidate.space, candidate: candidate.name, reason, megabytes: megabytesOf(bytes) },
    })),
    choices,
    weights,
    classes,
    plan: plans.map(({ proposed, ...plan }) => ({ ...plan, proposed: proposed?.name ?? null })),
    tasks,
  };
}
