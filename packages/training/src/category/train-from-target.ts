import { Random } from "@medley/core";
import type { EntityValue } from "@medley/models";
import { bagModel } from "../bag-model.ts";
import type { Batch } from "../engine/index.ts";
import { sampleItems } from "../reservoir.ts";
import { fitOnTarget } from "../target/fit-on-target.ts";
import { type TargetValue, targetOf } from "../target/target.ts";
import type { TrainedModel } from "../trained-model.ts";
import {
  type EntityOptions,
  type EntityTable,
  entityDefaults,
  entityModel,
  entityTable,
} from "./entity-table.ts";

export interface EntityExample {
  readonly value: EntityValue;
  /** A class, or a number; null: the record's categories count, but nothing is learned from it. */
  readonly target: TargetValue;
}

export interface EntityTargetOptions extends EntityOptions {
  /** Names the target in errors: `films.genre`. */
  readonly name: string;
}

/** A record with more categories is learned from with this many of them, drawn anew each time. */
const recordCategoriesMax = 64;
/**
 * The share of categories whose place a bucket takes in training, drawn anew each time: so a bucket learns what a category of
 * which nothing is known stands for, and no row is relied on alone.
 */
const hiddenShare = 0.5;
/** Small, so that what was learned outweighs it in directions that the target does not need. */
const initialDeviation = 0.03;
const learningRate = 0.001;
const optimiser = { weightDecay: 1, clipNorm: 1 };

/**
 * Category embeddings learned from a target (Guo and Berkhahn, "Entity embeddings of categorical variables", 2016): a record is the
 * mean of its categories' rows, scaled to unit length, from which a perceptron predicts the target. Categories are near each
 * other where they tell the same about it. Rare and unknown categories share the buckets' rows, which stand for the average of
 * them.
 *
 * Examples are read once. Throws `training_data_invalid` for targets that can't be learned, and fewer than 20 examples.
 */
export async function trainEntityFromTarget(
  examples: Iterable<EntityExample> | AsyncIterable<EntityExample>,
  options: EntityTargetOptions,
): Promise<TrainedModel> {
  const { dimensions, seed, signal, recordsMax = entityDefaults.recordsMax } = options;
  const random = new Random(seed);
  const sample = await sampleItems(examples, { itemsMax: recordsMax, random: random.fork(), signal });
  const described = sample.filter(({ value }) => value.length > 0);
  const target = targetOf(
    described.map((example) => example.target),
    options,
  );
  const table = entityTable(
    described.map(({ value }) => value),
    options,
  );
  const bags = Array.from(target.rows, (row) => table.rowsOf((described[row] as EntityExample).value));
  const inputs = bagInputs(bags, table, random.fork());
  const { trained, metrics, curves } = await fitOnTarget(
    {
      build: (graph, rows) => {
        const rowsTable = graph.parameter(
          tableName,
          [table.rowsCount, dimensions],
          (draw) => draw.normal() * initialDeviation,
          {
            decays: true,
          },
        );
        const ids = graph.input("ids", [rows, inputs.width], "int64");
        const weights = graph.input("weights", [rows, 1, inputs.width]);
        return weights.matmul(rowsTable.gather(ids)).reshape([rows, dimensions]);
      },
      inputs: inputs.of,
    },
    target,
    { ...options, learningRate, optimiser },
  );
  const graph = bagModel(trained.get(tableName) as Float32Array, dimensions);
  return entityModel(table, dimensions, graph, {
    metrics: { ...metrics, "train/records": bags.length, "train/categories": table.categories.length },
    curves,
  });
}

const tableName = "table";

/** Bags of one width: rows of the table and their weights, which sum to 1. */
function bagInputs(
  bags: readonly (readonly number[])[],
  { categories, buckets }: EntityTable,
  random: Random,
) {
  const width = Math.min(recordCategoriesMax, Math.max(...bags.map((bag) => bag.length)));
  const hidden = (row: number, trains: boolean) =>
    trains && buckets > 0 && random.uniform() < hiddenShare ? categories.length + random.below(buckets) : row;
  return {
    width,
    of: (places: Int32Array, trains: boolean): Batch => {
      const ids = new BigInt64Array(places.length * width);
      const weights = new Float32Array(places.length * width);
      for (const [at, place] of places.entries()) {
        const bag = bags[place] as readonly number[];
        const drawn = bag.length > width ? random.shuffle([...bag]).slice(0, width) : bag;
        for (const [k, row] of drawn.entries()) {
          ids[at * width + k] = BigInt(hidden(row, trains));
          weights[at * width + k] = 1 / drawn.length;
        }
      }
      return { ids, weights };
    },
  };
}
