import { strict as assert } from "node:assert";
import { crossEntropy } from "../engine/losses.ts";
import type { Value } from "../engine/value.ts";

/**
 * What a fine-tuning minimises.
 *
 * `classification`: cross-entropy of a linear head on the unit vector. `contrastive`: vectors of rows that belong together (of
 * one class, or of one pair) are brought near each other and away from all others of the batch.
 */
export type Objective =
  | {
      readonly kind: "classification";
      /** Share of the truth that is spread over all classes (Szegedy et al. 2016). Default 0. */
      readonly labelSmoothing?: number;
    }
  | {
      readonly kind: "contrastive";
      /** What cosines are divided by. Default .07 (Khosla et al. 2020). */
      readonly temperature?: number;
    };

/** Of the target that `objectiveLoss` adds to the graph. */
export const targetInput = "target";
/** Of the head: `head/weight` [dimensions, classes] and `head/bias`. */
export const headName = "head";
/** Vectors of length 1 are small to a layer whose weights move by the learning rate per step: multiplied by this it keeps up. */
export const headScale = 64;
const temperatureDefault = 0.07;
/** Added to the cosine of a row with itself, so that its softmax is 0. */
const far = -1e9;

/** What the head starts from; of `headName`'s parameters, on vectors times `headScale`. */
export interface InitialHead {
  /** [dimensions, classes]. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** Adds the loss of unit vectors [rows, dimensions] and the input `target` that `targetsOf` fills. `head`: of a classification. */
export function objectiveLoss(objective: Objective, vectors: Value, head: InitialHead | null): Value {
  const { graph } = vectors;
  const rows = vectors.size(0);
  if (objective.kind === "classification") {
    assert(head, "a classification has a head");
    return crossEntropy(headLogits(vectors, head), graph.input(targetInput, [rows, head.bias.length]));
  }
  const { temperature = temperatureDefault } = objective;
  const cosines = vectors.matmul(vectors.transposed()).mul(1 / temperature);
  const self = Float32Array.from({ length: rows * rows }, (_, at) => (at % (rows + 1) === 0 ? far : 0));
  const others = cosines.add(graph.constant(self, [rows, rows]));
  return crossEntropy(others, graph.input(targetInput, [rows, rows]));
}

function headLogits(vectors: Value, { weight, bias }: InitialHead): Value {
  const { graph } = vectors;
  return graph.scoped(headName, () => {
    const matrix = graph.parameter("weight", [vectors.size(-1), bias.length], weight);
    return vectors
      .mul(headScale)
      .matmul(matrix)
      .add(graph.parameter("bias", [bias.length], bias));
  });
}

export interface TargetOptions {
  /** Rows of the graph; those after the given ones are padding and don't count. */
  readonly batchRows: number;
  readonly classCount: number;
  /** By class; default: each row counts 1. */
  readonly classWeights?: ArrayLike<number>;
}

/**
 * The target of a batch whose rows belong to `groups` (classes, or pairs): [batchRows, classes] of probabilities times weight,
 * or [batchRows, batchRows] with the share of each row among the others of the same group (Khosla et al. 2020, eq. 2; for pairs
 * that is NT-Xent, Chen et al. 2020). Scaled so that the loss is the mean over what counts.
 */
export function targetsOf(
  objective: Objective,
  groups: readonly number[],
  options: TargetOptions,
): Float32Array {
  const { batchRows, classCount, classWeights } = options;
  assert(groups.length <= batchRows && groups.length > 0, "rows of one batch");
  if (objective.kind === "contrastive") return contrastiveTargets(groups, batchRows);
  const { labelSmoothing = 0 } = objective;
  const weightOf = (group: number) => classWeights?.[group] ?? 1;
  const total = groups.reduce((sum, group) => sum + weightOf(group), 0);
  const targets = new Float32Array(batchRows * classCount);
  for (const [row, group] of groups.entries()) {
    const weight = (weightOf(group) * batchRows) / total;
    targets.fill((weight * labelSmoothing) / classCount, row * classCount, (row + 1) * classCount);
    const at = row * classCount + group;
    targets[at] = (targets[at] as number) + weight * (1 - labelSmoothing);
  }
  return targets;
}

function contrastiveTargets(groups: readonly number[], batchRows: number): Float32Array {
  const targets = new Float32Array(batchRows * batchRows);
  const sizes = new Map<number, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const counted = groups.filter((group) => (sizes.get(group) as number) > 1).length;
  for (const [row, group] of groups.entries()) {
    const others = (sizes.get(group) as number) - 1;
    for (const [other, its] of groups.entries()) {
      if (other !== row && its === group) targets[row * batchRows + other] = batchRows / counted / others;
    }
  }
  return targets;
}
