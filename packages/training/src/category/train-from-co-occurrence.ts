import { MedleyError, Random } from "@medley/core";
import type { EntityValue } from "@medley/models";
import { bagModel } from "../bag-model.ts";
import { type TruncatedSvd, truncatedSvd } from "../linear-algebra/truncated-svd.ts";
import { sampleItems } from "../reservoir.ts";
import type { TrainedModel } from "../trained-model.ts";
import { positiveMutualInformation } from "./co-occurrence.ts";
import { type EntityOptions, entityDefaults, entityModel, entityTable } from "./entity-table.ts";

/** A record with more categories counts with this many of them, drawn at random: its pairs grow with the square. */
const recordCategoriesMax = 64;

/**
 * Category embeddings without a target: categories are near each other where they occur together with the same others, by a
 * truncated singular value decomposition of their positive pointwise mutual information, vectors scaled by the roots of the
 * singular values (Levy and Goldberg, "Neural word embedding as implicit matrix factorization", 2014).
 *
 * Rare categories share the buckets' rows, and occur there as one. A category that never occurs beside another says nothing.
 * Values are read once. Throws `MedleyError` `training_data_invalid` where no two categories occur together. After `signal` the
 * records read by then are enough.
 */
export async function trainEntityFromCoOccurrence(
  values: Iterable<EntityValue> | AsyncIterable<EntityValue>,
  options: EntityOptions,
): Promise<TrainedModel> {
  const { dimensions, signal, recordsMax = entityDefaults.recordsMax } = options;
  const random = new Random(options.seed);
  const sample = await sampleItems(values, { itemsMax: recordsMax, random: random.fork(), signal });
  const table = entityTable(sample, options);
  const drawing = random.fork();
  const baskets = sample.map((value) => {
    const rows = table.rowsOf(value);
    return rows.length <= recordCategoriesMax ? rows : drawing.shuffle(rows).slice(0, recordCategoriesMax);
  });
  const information = positiveMutualInformation(baskets, table.rowsCount);
  if (information.values.length === 0) {
    throw new MedleyError(
      "training_data_invalid",
      `in none of the ${sample.length} records two categories occur together`,
      { mend: "take a field with several categories per record, or name a target to learn from" },
    );
  }
  const svd = await truncatedSvd(information, {
    rank: dimensions,
    random: random.fork(),
    signal,
    onPass: (done, total) => options.onProgress?.({ stage: "singular vectors", done, total, unit: "passes" }),
  });
  return entityModel(table, dimensions, bagModel(tableOf(svd), dimensions), {
    metrics: {
      "train/records": sample.length,
      "train/categories": table.categories.length,
      "train/energy": svd.energy,
    },
    curves: [],
  });
}

/** [rows, dimensions]: V Σ^½. */
function tableOf({ right: { columns, values }, singularValues }: TruncatedSvd): Float32Array {
  const roots = singularValues.map(Math.sqrt);
  return Float32Array.from(values, (value, at) => value * (roots[at % columns] as number));
}
