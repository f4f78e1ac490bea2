import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { PlainSkipGram, type SkipGram, type SkipGramOptions } from "./skip-gram.ts";
import { KernelSkipGram, openSkipGram } from "./skip-gram-kernel.ts";

const nodes = 50;
const length = 12;

/** Walks that stay among neighbouring numbers; some end early. */
function walksOf(count: number): Int32Array {
  const random = new Random(5);
  const walks = new Int32Array(count * length).fill(-1);
  for (let at = 0; at < count; at += 1) {
    let node = random.below(nodes);
    const steps = at % 7 === 0 ? 1 + random.below(length) : length;
    for (let step = 0; step < steps; step += 1) {
      walks[at * length + step] = node;
      node = (node + random.below(4)) % nodes;
    }
  }
  return walks;
}
const walks = walksOf(400);

function trained<Trainer extends SkipGram>(skipGram: Trainer, rate = 0.1): Trainer {
  for (const half of [walks.subarray(0, 200 * length), walks.subarray(200 * length)]) {
    skipGram.train({ walks: half, length, rate, rateAfter: rate / 4 });
  }
  return skipGram;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((largest, value, at) => Math.max(largest, Math.abs(value - (b[at] as number))), 0);
}

const base = { nodes, window: 4, seed: 3 };
const frequencies = Float64Array.from({ length: nodes }, (_, node) => 1 + node);
test.for([
  { ...base, dimensions: 32, negatives: 1, tied: true },
  { ...base, dimensions: 24, negatives: 3, tied: true, frequencies },
  { ...base, dimensions: 16, negatives: 5, tied: false },
  // A row is not a whole number of the kernel's steps.
  { ...base, dimensions: 5, negatives: 2, tied: false, frequencies },
  { ...base, dimensions: 1, negatives: 0, tied: true },
] satisfies SkipGramOptions[])("the kernel computes what the plain loop does, %o", (options) => {
  const kernel = trained(new KernelSkipGram(options, walks.length));
  const plain = trained(new PlainSkipGram(options));
  expect(kernel.vectors()).toHaveLength(nodes * options.dimensions);
  expect(largestDifference(kernel.vectors(), plain.vectors())).toBeLessThan(1e-5);
  expect(kernel.totals.pairs).toBe(plain.totals.pairs);
  expect(kernel.totals.pairs).toBeGreaterThan(10_000);
  expect(kernel.totals.loss / plain.totals.loss).toBeCloseTo(1, 5);
});

const options = { ...base, dimensions: 32, negatives: 2, tied: true };

test("the same seed gives the same vectors, bit by bit; another seed others", () => {
  const vectors = (seed: number) => trained(openSkipGram({ ...options, seed }, walks.length)).vectors();
  expect(vectors(1)).toEqual(vectors(1));
  expect(vectors(1)).not.toEqual(vectors(2));
});

/** How often a node that was not near got a lower cosine than one that was. */
function order(vectors: Float32Array, dimensions: number): number {
  const cosine = (a: number, b: number) => {
    const [x, y] = [a, b].map((node) => vectors.subarray(node * dimensions, (node + 1) * dimensions)) as [
      Float32Array,
      Float32Array,
    ];
    const product = (one: Float32Array, other: Float32Array) =>
      one.reduce((sum, value, at) => sum + value * (other[at] as number), 0);
    return product(x, y) / Math.sqrt(product(x, x) * product(y, y));
  };
  const right = Array.from({ length: nodes }, (_, node) => {
    return cosine(node, (node + 1) % nodes) > cosine(node, (node + 25) % nodes);
  });
  return right.filter(Boolean).length / nodes;
}

test.for([true, false])("nodes that walks bring together get near, tied: %s", (tied) => {
  const settings = { ...options, tied };
  const fresh = new KernelSkipGram(settings, walks.length);
  expect(order(fresh.vectors(), 32)).toBeLessThan(0.8);
  const learned = trained(fresh, 0.2);
  expect(order(learned.vectors(), 32)).toBeGreaterThan(0.95);
});

test("the loss is the mean of what was computed before each pair's update", () => {
  const skipGram = new KernelSkipGram({ ...options, negatives: 1 }, walks.length);
  skipGram.train({ walks: walks.subarray(0, length), length, rate: 0, rateAfter: 0 });
  const { loss, pairs } = skipGram.totals;
  // At the beginning all products are near 0, and a pair's loss is 2 log 2, less where the negative is left out.
  expect(loss / pairs).toBeGreaterThan(1.8 * Math.LN2);
  expect(loss / pairs).toBeLessThanOrEqual(2.01 * Math.LN2);
});

test("what does not fit the kernel's memory is trained without it", () => {
  const size = { ...options, nodes: 2 ** 24, dimensions: 128 };
  expect(KernelSkipGram.bytesOf(size, 1)).toBeGreaterThan(2 ** 32);
  expect(KernelSkipGram.bytesOf({ ...size, nodes: 2 ** 22 }, 1)).toBeLessThan(2 ** 32);
});
