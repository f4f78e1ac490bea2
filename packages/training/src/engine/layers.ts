import { strict as assert } from "node:assert";
import type { Random } from "@medley/core";
import { sizeOf } from "./shape.ts";
import { concat, type Value } from "./value.ts";

/** Uniform between ± √(1/inputs): PyTorch's default of linear and convolution layers. */
export function uniformInitial(inputs: number): (random: Random) => number {
  const bound = Math.sqrt(1 / inputs);
  return (random) => (2 * random.uniform() - 1) * bound;
}

/** Uniform between ± √(6/(inputs + outputs)) (Glorot & Bengio 2010). */
export function glorotInitial(inputs: number, outputs: number): (random: Random) => number {
  const bound = Math.sqrt(6 / (inputs + outputs));
  return (random) => (2 * random.uniform() - 1) * bound;
}

/** x W + b over the last axis: [..., inputs] to [..., outputs]. Parameters `name/weight` [inputs, outputs], `name/bias`. */
export function linear(
  name: string,
  x: Value,
  outputs: number,
  { bias = true }: { bias?: boolean } = {},
): Value {
  const inputs = x.size(-1);
  return x.graph.scoped(name, () => {
    const weight = x.graph.parameter("weight", [inputs, outputs], uniformInitial(inputs));
    const product = x.matmul(weight);
    if (!bias) return product;
    return product.add(x.graph.parameter("bias", [outputs], uniformInitial(inputs)));
  });
}

/**
 * A convolution along time that keeps its length: [batch, length, inputs] to [batch, length, outputs]. `padding`: whether what is
 * before the beginning and after the end is the other end (a circle) or zeros. Parameters `name/weight` [kernel · inputs, outputs],
 * the oldest element first, and `name/bias`.
 */
export function conv1d(
  name: string,
  x: Value,
  outputs: number,
  { kernel, padding, bias = true }: { kernel: number; padding: "circular" | "zeros"; bias?: boolean },
): Value {
  const length = x.size(1);
  assert(kernel >= 1 && kernel <= length, `a kernel of ${kernel} for ${length} elements`);
  const before = Math.floor((kernel - 1) / 2);
  const after = kernel - 1 - before;
  const padded = padding === "circular" ? wrapped(x, before, after) : zeroPadded(x, before, after);
  const windows = Array.from({ length: kernel }, (_, at) => padded.slice(1, at, at + length));
  // Windows side by side: one matrix product is faster than what runtimes do for short kernels.
  return linear(name, concat(windows, 2), outputs, { bias });
}

function wrapped(x: Value, before: number, after: number): Value {
  const length = x.size(1);
  const head = before > 0 ? [x.slice(1, length - before, length)] : [];
  const tail = after > 0 ? [x.slice(1, 0, after)] : [];
  return concat([...head, x, ...tail], 1);
}

function zeroPadded(x: Value, before: number, after: number): Value {
  if (before + after === 0) return x;
  const shape = x.shape.map((size, axis) => (axis === 1 ? size + before + after : size));
  return x.graph.one("Pad", [x, x.graph.integers([0, before, 0, 0, after, 0])], { shape });
}

/** The largest of each window of time: [batch, length, channels] to [batch, ⌊(length + 2 padding - kernel) / stride⌋ + 1, channels]. */
export function maxPool1d(
  x: Value,
  { kernel, stride, padding = 0 }: { kernel: number; stride: number; padding?: number },
): Value {
  const length = Math.floor((x.size(1) + 2 * padding - kernel) / stride) + 1;
  assert(length >= 1 && padding < kernel, `windows of ${kernel} for ${x.size(1)} elements`);
  const attributes = { kernel_shape: [kernel], strides: [stride], pads: [padding, padding] };
  const shape = [x.size(0), x.size(2), length];
  return x.graph.one("MaxPool", [x.transpose([0, 2, 1])], { shape }, attributes).transpose([0, 2, 1]);
}

/** Ba, Kiros & Hinton 2016, over the last axis. Parameters `name/scale`, `name/bias`. */
export function layerNorm(name: string, x: Value, { epsilon = 1e-5 }: { epsilon?: number } = {}): Value {
  const size = x.size(-1);
  return x.graph.scoped(name, () => {
    const scale = x.graph.parameter("scale", [size], new Float32Array(size).fill(1));
    const bias = x.graph.parameter("bias", [size], new Float32Array(size));
    const attributes = { axis: -1, epsilon: { float: epsilon } };
    return x.graph.one("LayerNormalization", [x, scale, bias], { shape: x.shape }, attributes);
  });
}

/**
 * Ioffe & Szegedy 2015, over all axes but the last. In training by the batch's own mean and variance, whose running averages
 * are carried along (`name/running-mean`, `name/running-variance`) and serve.
 */
export function batchNorm(
  name: string,
  x: Value,
  { momentum = 0.1, epsilon = 1e-5 }: { momentum?: number; epsilon?: number } = {},
): Value {
  const { graph } = x;
  const size = x.size(-1);
  const axes = Array.from({ length: x.rank - 1 }, (_, axis) => axis);
  return graph.scoped(name, () => {
    const scale = graph.parameter("scale", [size], new Float32Array(size).fill(1));
    const bias = graph.parameter("bias", [size], new Float32Array(size));
    const runningMean = graph.state("running-mean", [size], new Float32Array(size));
    const runningVariance = graph.state("running-variance", [size], new Float32Array(size).fill(1));
    const normed = (mean: Value, variance: Value) =>
      x.sub(mean).div(variance.add(epsilon).sqrt()).mul(scale).add(bias);
    if (!graph.trains) return normed(runningMean, runningVariance);
    const mean = x.mean(axes);
    const variance = x.sub(mean).square().mean(axes);
    const count = sizeOf(x.shape) / size;
    const unbiased = variance.mul(count / Math.max(1, count - 1));
    const moved = (running: Value, now: Value) => running.mul(1 - momentum).add(now.mul(momentum));
    graph.carry(runningMean, moved(runningMean, mean));
    graph.carry(runningVariance, moved(runningVariance, unbiased));
    return normed(mean, variance);
  });
}

/** Sets a share of the elements to 0 and scales the others up, in training only (Srivastava et al. 2014). */
export function dropout(x: Value, share: number): Value {
  assert(share >= 0 && share < 1, "a share below 1");
  const { graph } = x;
  if (share === 0 || !graph.trains) return x;
  const trains = graph.scalar(1).cast("bool");
  const outputs = [{ shape: x.shape }, { shape: x.shape, type: "bool" as const }];
  const seed = graph.random.uint32() >>> 1;
  return graph.node("Dropout", [x, graph.scalar(share), trains], outputs, { seed })[0] as Value;
}

/** Rows of a table [size, dimensions] that training changes, by int64 ids of any shape. Parameter `name`. */
export function embedding(
  name: string,
  ids: Value,
  { size, dimensions, deviation = 0.1 }: { size: number; dimensions: number; deviation?: number },
): Value {
  const table = ids.graph.parameter(name, [size, dimensions], (random) => random.normal() * deviation);
  return table.gather(ids);
}

/**
 * Scaled dot-product attention with heads (Vaswani et al. 2017): queries [batch, m, d], keys and values [batch, n, d] to
 * [batch, m, d]. `mask` is added to the scores and broadcast to [batch, heads, m, n].
 */
export function attention(
  name: string,
  queries: Value,
  keys: Value,
  { heads, mask }: { heads: number; mask?: Value },
): Value {
  const width = queries.size(-1);
  assert(width % heads === 0, `${width} dimensions for ${heads} heads`);
  const each = width / heads;
  const split = (x: Value) => x.reshape([x.size(0), x.size(1), heads, each]).transpose([0, 2, 1, 3]);
  return queries.graph.scoped(name, () => {
    const [q, k, v] = [
      // Queries are scaled, not scores: there are fewer of them.
      split(linear("query", queries, width).mul(1 / Math.sqrt(each))),
      split(linear("key", keys, width)),
      split(linear("value", keys, width)),
    ];
    const scores = q.matmul(k.transposed());
    const weights = (mask === undefined ? scores : scores.add(mask)).softmax();
    const mixed = weights.matmul(v).transpose([0, 2, 1, 3]);
    return linear("output", mixed.reshape([queries.size(0), queries.size(1), width]), width);
  });
}
