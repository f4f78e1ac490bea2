import { strict as assert } from "node:assert";
import type { Graph, Value } from "../engine/index.ts";

/** Steps of the moving average in the published code of Autoformer and DLinear. */
export const movingAverageSteps = 25;

/**
 * The moving average of `kernel` steps as a matrix [steps, steps], row t the weights of what step t is the mean of. Beyond both
 * ends the first and the last step are repeated. `kernel` is odd.
 */
export function movingAverageMatrix(steps: number, kernel: number): Float32Array {
  assert(kernel % 2 === 1, "a moving average has a middle");
  const matrix = new Float32Array(steps * steps);
  const half = (kernel - 1) / 2;
  for (let step = 0; step < steps; step += 1) {
    for (let at = step - half; at <= step + half; at += 1) {
      const kept = Math.min(steps - 1, Math.max(0, at));
      matrix[step * steps + kept] = (matrix[step * steps + kept] as number) + 1 / kernel;
    }
  }
  return matrix;
}

/**
 * Series decomposition (Wu, Xu, Wang & Long, Autoformer, NeurIPS 2021, eq. 1): the trend is the moving average along axis 1, the
 * seasonal part what is left. x [batch, steps, channels] to two of the same shape, whose sum is x.
 */
export function decompose(x: Value, kernel = movingAverageSteps): { seasonal: Value; trend: Value } {
  const steps = x.size(1);
  const trend = x.graph.constant(movingAverageMatrix(steps, kernel), [steps, steps]).matmul(x);
  return { seasonal: x.sub(trend), trend };
}

/** Means of `segments` parts of axis 1 of about equal length: [batch, steps, width] to [batch, segments * width]. */
export function segmentMeans(x: Value, segments: number): Value {
  const steps = x.size(1);
  const matrix = segmentMatrix(x.graph, steps, Math.min(segments, steps));
  return matrix.matmul(x).reshape([x.size(0), matrix.size(0) * x.size(2)]);
}

function segmentMatrix(graph: Graph, steps: number, segments: number): Value {
  const matrix = new Float32Array(segments * steps);
  for (let segment = 0; segment < segments; segment += 1) {
    const from = Math.floor((segment * steps) / segments);
    const to = Math.floor(((segment + 1) * steps) / segments);
    matrix.fill(1 / (to - from), segment * steps + from, segment * steps + to);
  }
  return graph.constant(matrix, [segments, steps]);
}
