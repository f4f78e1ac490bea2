import { fail, MedleyError, succeed } from "@medley/core";
import type { ArtefactFiles, Features, FeaturesManifest } from "./features.ts";
import { readVocabulary } from "./read-vocabulary.ts";

/** One category, or a set of them. */
export type EntityValue = string | readonly string[];

/** The categories that have a row of their own: a JSON list, row 0 first. Rows of shared buckets follow them. */
export const categoriesFile = "categories.json";

export const bucketsMax = 65_536;

/** The bucket, 0 ≤ bucket < `buckets`, that a category without a row of its own shares: FNV-1a of its UTF-8 bytes. */
export function bucketOf(category: string, buckets: number): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(category)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % buckets;
}

/** The distinct rows of the table that a value's categories have. */
export type EntityRows = (value: EntityValue) => number[];

/** `buckets` 0: categories without a row of their own have none. */
export function entityRows(categories: readonly string[], buckets: number): EntityRows {
  const rows = new Map(categories.map((category, row) => [category, row]));
  return (value) => {
    const found = new Set<number>();
    for (const category of typeof value === "string" ? [value] : value) {
      const own = rows.get(category);
      if (own !== undefined) found.add(own);
      else if (buckets > 0) found.add(categories.length + bucketOf(category, buckets));
    }
    return [...found];
  };
}

/**
 * The mean of the rows of a value's categories, each counted once. Categories that were too rare to have a row of their own,
 * and those that were never seen, share the buckets; one whose bucket no rare category trained is a row of zeros and adds
 * nothing.
 */
export function entityFeatures(manifest: FeaturesManifest, files: ArtefactFiles): Features<EntityValue> {
  const rowsOf = entityRows(readVocabulary(files, categoriesFile), bucketsIn(manifest));
  const row = (value: EntityValue): Float32Array => {
    const rows = rowsOf(value);
    return Float32Array.from(rows.flatMap((id) => [id, 1 / rows.length]));
  };
  return {
    row: (value) => succeed(row(value)),
    queryRow: (query) =>
      isEntityValue(query)
        ? succeed(row(query))
        : fail({ message: "the query is no category", mend: "give a category, or a list of categories" }),
  };
}

function isEntityValue(query: unknown): query is EntityValue {
  return typeof query === "string" || (Array.isArray(query) && query.every((one) => typeof one === "string"));
}

function bucketsIn({ buckets }: FeaturesManifest): number {
  if (Number.isInteger(buckets) && (buckets as number) >= 0 && (buckets as number) <= bucketsMax) {
    return buckets as number;
  }
  throw new MedleyError("model_damaged", "the trained model's manifest.json says no number of buckets", {
    mend: "take the artefact's folder from a backup, or train the space again",
  });
}
