import { strict as assert } from "node:assert";
import { bucketsMax, categoriesFile, type EntityRows, type EntityValue, entityRows } from "@medley/models";
import { FrequentNames } from "../frequent-names.ts";
import type { TrainingOptions } from "../progress.ts";
import type { TrainedModel } from "../trained-model.ts";

/** What both ways of training category embeddings take. */
export interface EntityOptions extends TrainingOptions {
  /** Of the vector. */
  readonly dimensions: number;
  /** Categories that have a row of their own, the most frequent ones. Default 50,000. */
  readonly vocabularyMax?: number;
  /** In how many records a category must be to have a row of its own. Default 2. */
  readonly categoryRecordsMin?: number;
  /** Rows that all other categories share, by hash. Default 64; 0: other categories say nothing. */
  readonly buckets?: number;
  /** Of more records a random sample is trained on. Default 500,000. */
  readonly recordsMax?: number;
}

/** Which row of the table each category has. */
export interface EntityTable {
  readonly categories: readonly string[];
  readonly buckets: number;
  readonly rowsCount: number;
  readonly rowsOf: EntityRows;
}

export const entityDefaults = {
  vocabularyMax: 50_000,
  categoryRecordsMin: 2,
  buckets: 64,
  recordsMax: 500_000,
};

export function entityTable(values: readonly EntityValue[], options: EntityOptions): EntityTable {
  const { dimensions, vocabularyMax, categoryRecordsMin, buckets } = { ...entityDefaults, ...options };
  assert(Number.isInteger(dimensions) && dimensions > 0, "dimensions are a number above 0");
  assert(Number.isInteger(buckets) && buckets >= 0 && buckets <= bucketsMax, "a number of buckets");
  const frequent = new FrequentNames({ namesMax: vocabularyMax });
  for (const value of values) frequent.add(new Set(typeof value === "string" ? [value] : value));
  const { names: categories } = frequent.top(categoryRecordsMin);
  return {
    categories,
    buckets,
    rowsCount: categories.length + buckets,
    rowsOf: entityRows(categories, buckets),
  };
}

export function entityModel(
  { categories, buckets }: EntityTable,
  dimensions: number,
  graph: Uint8Array,
  results: Pick<TrainedModel, "metrics" | "curves">,
): TrainedModel {
  return {
    manifest: { kind: "entity", dimensions, buckets },
    files: new Map([
      ["model.onnx", graph],
      [categoriesFile, new TextEncoder().encode(JSON.stringify(categories))],
    ]),
    ...results,
  };
}
