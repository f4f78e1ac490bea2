import { type Collection, featuresOfSpace, MedleyError, reduce, reductionOf, spaceOf } from "@medley/core";
import { cutsOf, openModelRuntime } from "@medley/models";
import { type BudgetSpace, type DimensionSplit, splitDimensions } from "@medley/training";
import type { AssignCollectionOptions } from "../assign-collection.ts";
import { AssignmentFolder } from "../assignment-folder.ts";
import { type Candidate, candidatesOf } from "../candidates.ts";
import { type LabelledSample, labelledSample } from "../labelled-sample.ts";
import { type Measuring, measureAll } from "../measure-all.ts";

export interface AssignDimensionsOptions extends AssignCollectionOptions {
  /** Of all spaces together. */
  readonly budget: number;
}

/** How a budget of dimensions is shared best, as far as it was found out. */
export interface DimensionAssignment {
  readonly collection: Collection;
  readonly budget: number;
  readonly seed: number;
  readonly sample: Omit<LabelledSample, "records">;
  /** What serves each space that takes part. */
  readonly candidates: readonly Candidate[];
  /** Of how many of them there are vectors. */
  readonly measured: number;
  readonly folder: AssignmentFolder;
  /** Null where it was ended early. */
  readonly split: DimensionSplit | null;
}

/** Fewer hold no ten that are nearer than the others. */
const recordsMin = 40;

/**
 * Encodes a sample of records by what serves each space, before anything is reduced, and shares the budget among the spaces. Vectors that are
 * there from an earlier assignment of the same records are not computed again; after the signal those that are done are kept. Throws `usage`
 * for a budget that asks for nothing, or for what can't be; `training_data_invalid` for fewer than 40 records.
 */
export async function assignDimensions(options: AssignDimensionsOptions): Promise<DimensionAssignment> {
  const { collection, budget, lock, records, recordsMax, seed, signal } = options;
  const candidates = candidatesOf(withoutChoice(collection), lock);
  const { records: rows, ...sample } = await labelledSample(records, collection, {
    ...{ recordsMax, seed, signal },
    kept: new Set(),
  });
  if (rows.length < recordsMin) {
    throw new MedleyError(
      "training_data_invalid",
      `${records.name} holds ${rows.length} records; a budget is shared by what is found among at least ${recordsMin}`,
      { mend: "name a file of more records with --from FILE, or fill the collection first" },
    );
  }
  const folder = AssignmentFolder.of(collection.name, { lock, sample, seed, rowCount: rows.length });
  const measured = await measureAll(candidates, { ...options, rows, queries: [], sample, folder });
  const isComplete = measured.length === candidates.length;
  const split = isComplete ? await splitOf(measured, { ...options, sample }) : null;
  return { collection, budget, seed, sample, candidates, measured: measured.length, folder, split };
}

function withoutChoice(collection: Collection): Collection {
  const spaces = collection.spaces.map(({ name, definition }) => spaceOf(name, definition, []));
  return { ...collection, spaces };
}

async function splitOf(
  measured: readonly Measuring[],
  options: AssignDimensionsOptions & Pick<DimensionAssignment, "sample">,
): Promise<DimensionSplit | null> {
  const { collection, budget, seed, signal, sample, onProgress } = options;
  const spaces = await budgetSpaces(measured, options);
  try {
    const split = await splitDimensions(spaces, {
      ...{ budget, split: sample.split, seed, signal },
      onProgress: (progress) => onProgress("the split", progress),
    });
    if (!("problem" in split)) return split;
    const there = split.dimensions;
    const isNeedless = split.problem === "needless";
    throw new MedleyError(
      "usage",
      isNeedless
        ? `collection ${collection.name} has ${there} dimensions: a budget of ${budget} leaves nothing to save`
        : `collection ${collection.name} can't do with ${budget} dimensions`,
      {
        mend: isNeedless
          ? `give a budget below ${there}`
          : `give a budget of at least ${there}, or leave spaces out of the configuration`,
      },
    );
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** What the configuration itself reduces stays as it says. */
async function budgetSpaces(
  measured: readonly Measuring[],
  { environment, lock }: AssignDimensionsOptions,
): Promise<readonly BudgetSpace[]> {
  await using runtime = openModelRuntime({ environment, lock, loads: false, threads: 1 });
  const spaces: BudgetSpace[] = [];
  // A model that is made of a space's segments was trained on them as they are.
  const read = new Set(measured.flatMap(({ definition }) => featuresOfSpace(definition)));
  for (const { space, readTable, definition } of measured) {
    const isReducible =
      !read.has(space) &&
      reductionOf(definition) === undefined &&
      reduce(definition, { to: 2, by: "pca" }) !== null;
    spaces.push({
      space,
      table: readTable(),
      isReducible,
      cuts: isReducible ? await cutsOf(definition, runtime) : [],
    });
  }
  return spaces;
}
