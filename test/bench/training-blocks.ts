/** Parts of models whose training steps are compared with PyTorch's (rivals/training_blocks.py has the same, by the same names). */
import { strict as assert } from "node:assert";
import {
  attention,
  batchNorm,
  concat,
  crossEntropy,
  type Graph,
  layerNorm,
  linear,
  meanSquaredError,
  type Shape,
  uniformInitial,
  type Value,
} from "@medley/training/engine";

/** `batch` rows of every input. */
export type TrainingBlock =
  | { kind: "perceptron"; batch: number; inputs: number; hidden: number; classes: number }
  | { kind: "dlinear"; batch: number; lookback: number; horizon: number; channels: number; kernel: number }
  | { kind: "attention"; batch: number; steps: number; width: number; heads: number; hidden: number }
  | {
      kind: "autoformer";
      batch: number;
      steps: number;
      width: number;
      hidden: number;
      kernel: number;
      factor: number;
    }
  | { kind: "convolution"; batch: number; channels: number; edge: number; outputs: number; classes: number };

/** Of `x`, and of `y`, which the loss compares with; classes are rows of a 1 and zeros. */
export function shapesOf(block: TrainingBlock): { x: Shape; y: Shape } {
  const { batch } = block;
  switch (block.kind) {
    case "perceptron":
      return { x: [batch, block.inputs], y: [batch, block.classes] };
    case "dlinear":
      return { x: [batch, block.lookback, block.channels], y: [batch, block.horizon, block.channels] };
    case "attention":
    case "autoformer":
      return { x: [batch, block.steps, block.width], y: [batch, block.steps, block.width] };
    case "convolution":
      return { x: [batch, block.channels, block.edge, block.edge], y: [batch, block.classes] };
    default:
      throw new Error(`unreachable: ${JSON.stringify(block satisfies never)}`);
  }
}

/** Adds the block and gives its loss: cross-entropy of classes, else the mean squared error. */
export function lossOf(graph: Graph, block: TrainingBlock): Value {
  const shapes = shapesOf(block);
  const [x, y] = [graph.input("x", shapes.x), graph.input("y", shapes.y)];
  switch (block.kind) {
    case "perceptron":
      return crossEntropy(linear("out", linear("hidden", x, block.hidden).relu(), block.classes), y);
    case "dlinear": {
      const { seasonal, trend } = decompose(x, block.kernel);
      const ahead = (name: string, part: Value) => linear(name, part.transpose([0, 2, 1]), block.horizon);
      return meanSquaredError(ahead("seasonal", seasonal).add(ahead("trend", trend)).transpose([0, 2, 1]), y);
    }
    case "attention": {
      const attended = layerNorm("norm-1", x.add(attention("self", x, x, block)));
      return meanSquaredError(layerNorm("norm-2", attended.add(forward(attended, block, true))), y);
    }
    case "autoformer": {
      const { seasonal, trend } = decompose(x.add(autoCorrelation(x, block.factor)), block.kernel);
      const last = decompose(seasonal.add(forward(seasonal, block, false)), block.kernel);
      return meanSquaredError(last.seasonal.add(trend), y);
    }
    case "convolution":
      return crossEntropy(linear("out", convolved(x, block.outputs), block.classes), y);
    default:
      throw new Error(`unreachable: ${JSON.stringify(block satisfies never)}`);
  }
}

function forward(x: Value, { hidden, width }: { hidden: number; width: number }, bias: boolean): Value {
  return linear("forward-2", linear("forward-1", x, hidden, { bias }).gelu(), width, { bias });
}

/** [batch, channels, edge, edge] to the means of half the edge, [batch, outputs]. */
function convolved(x: Value, outputs: number): Value {
  const { graph } = x;
  const [batch, channels, edge] = [x.size(0), x.size(1), x.size(2)];
  const weight = graph.parameter(
    "convolution/weight",
    [outputs, channels, 3, 3],
    uniformInitial(9 * channels),
  );
  const image = graph.one(
    "Conv",
    [x, weight],
    { shape: [batch, outputs, edge, edge] },
    { pads: [1, 1, 1, 1] },
  );
  const normed = batchNorm("norm", image.transpose([0, 2, 3, 1]))
    .transpose([0, 3, 1, 2])
    .relu();
  const half = edge / 2;
  assert(Number.isInteger(half), "an even edge");
  const windows = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
  const pooled = graph.one("MaxPool", [normed], { shape: [batch, outputs, half, half] }, windows);
  return graph
    .one("GlobalAveragePool", [pooled], { shape: [batch, outputs, 1, 1] })
    .reshape([batch, outputs]);
}

/** Trend: the moving average of `kernel` steps along axis 1, its ends repeated (Wu et al., Autoformer, 2021). */
function decompose(x: Value, kernel: number): { seasonal: Value; trend: Value } {
  const [steps, half] = [x.size(1), (kernel - 1) / 2];
  const matrix = new Float32Array(steps * steps);
  for (let step = 0; step < steps; step++) {
    for (let at = step - half; at <= step + half; at++) {
      const kept = step * steps + Math.min(steps - 1, Math.max(0, at));
      matrix[kept] = (matrix[kept] as number) + 1 / kernel;
    }
  }
  const trend = x.graph.constant(matrix, [steps, steps]).matmul(x);
  return { seasonal: x.sub(trend), trend };
}

/**
 * Wu et al., Autoformer, NeurIPS 2021, section 3.2, as its published code has it in training: delays are those of the batch's mean.
 * The correlation of a delay is the sum along a circular diagonal of k q', the mean of delayed values a product with a circulant
 * matrix.
 */
function autoCorrelation(x: Value, factor: number): Value {
  const [batch, steps, width] = [x.size(0), x.size(1), x.size(2)];
  const [q, k, v] = [linear("query", x, width), linear("key", x, width), linear("value", x, width)];
  const products = k.matmul(q.transposed());
  const doubled = concat([products, products], 2).reshape([batch, 2 * steps * steps]);
  const padded = concat([doubled, doubled.slice(1, 0, steps)], 1);
  const correlations = padded
    .reshape([batch, steps, 2 * steps + 1])
    .slice(2, 0, steps)
    .sum([1])
    .mul(1 / width);
  const count = Math.floor(factor * Math.log(steps));
  const ranked = correlations.mean([0], { keepsAxes: true });
  const lowest = ranked.topK(count).values.slice(1, count - 1, count);
  const weights = correlations.add(ranked.atLeast(lowest).sub(1).mul(1e9)).softmax();
  const repeated = weights.reshape([batch, 1, steps]).expand([batch, 2 * steps - 1, steps]);
  const circulant = repeated.reshape([batch, steps, 2 * steps - 1]).slice(2, 0, steps);
  return linear("output", circulant.matmul(v), width);
}
