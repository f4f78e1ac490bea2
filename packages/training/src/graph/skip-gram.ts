import { strict as assert } from "node:assert";
import { Random } from "@medley/core";
import { type AliasTable, drawAlias, fillAlias } from "./alias.ts";

/**
 * Skip-gram with negative sampling (Mikolov et al., "Distributed Representations of Words and Phrases and their
 * Compositionality", 2013): for every two nodes of a walk that are near, the product of their vectors should be high, and that
 * with the vectors of nodes drawn at random (negatives) low.
 */
export interface SkipGramOptions {
  readonly nodes: number;
  readonly dimensions: number;
  /** Nodes before and after a node that count as near; for each node it is drawn from 1 to this, so that nearer ones count more. */
  readonly window: number;
  /** Per pair. */
  readonly negatives: number;
  /** Whether a node has one vector, or one as centre (the result) and another as context, as words have. */
  readonly tied: boolean;
  /** How often each node comes, where negatives are to be drawn by that (to the power of .75); otherwise all are as likely. */
  readonly frequencies?: Float64Array;
  readonly seed: number;
}

/** Walks to train on in one go, and the learning rate, which falls evenly from the first to after the last of them. */
export interface SkipGramBatch {
  /** [walks, length], -1 after the end of a shorter one. */
  readonly walks: Int32Array;
  readonly length: number;
  readonly rate: number;
  readonly rateAfter: number;
}

/** Over all that a `SkipGram` was trained on. */
export interface SkipGramTotals {
  readonly pairs: number;
  /** Sum over the pairs of -log sigmoid(product), and of -log sigmoid(-product) for each negative. */
  readonly loss: number;
}

export interface SkipGram {
  train(batch: SkipGramBatch): void;
  readonly totals: SkipGramTotals;
  /** [nodes, dimensions], row-major; a copy. */
  vectors(): Float32Array;
}

/** Beyond it, sigmoid and softplus are taken to be what they are there. */
const rangeMax = 8;
const stepsPerUnit = 64;
const steps = 2 * rangeMax * stepsPerUnit;

/** [steps + 1, 2]: sigmoid and softplus from -8 to 8, between which values are read in a straight line (error below 1e-5). */
export function curves(): Float32Array {
  return Float32Array.from({ length: 2 * (steps + 1) }, (_, place) => {
    const x = (place >> 1) / stepsPerUnit - rangeMax;
    return place % 2 === 0 ? 1 / (1 + Math.exp(-x)) : Math.log1p(Math.exp(x));
  });
}

/** The first vectors of nodes, as word2vec's: uniform around 0, the narrower the more dimensions. */
export function initialVectors({ nodes, dimensions }: SkipGramOptions, random: Random): Float32Array {
  const vectors = new Float32Array(nodes * dimensions);
  for (let at = 0; at < vectors.length; at += 1) vectors[at] = (random.uniform() - 0.5) / dimensions;
  return vectors;
}

/** Null where every node is as likely. */
export function negativesTable({ frequencies }: SkipGramOptions): AliasTable | null {
  if (frequencies === undefined) return null;
  const weights = frequencies.map((frequency) => frequency ** 0.75);
  const table = {
    probability: new Float32Array(weights.length),
    alias: new Uint32Array(weights.length),
  };
  fillAlias(weights, 0, weights.length, table);
  return table;
}

export function assertSkipGram({ nodes, dimensions, window, negatives, frequencies }: SkipGramOptions): void {
  for (const count of [nodes, dimensions, window]) assert(Number.isSafeInteger(count) && count > 0);
  assert(Number.isSafeInteger(negatives) && negatives >= 0);
  assert(frequencies === undefined || frequencies.length === nodes);
}

/** Skip-gram in plain TypeScript: what the kernel is tested against, and what runs where it can't. */
export class PlainSkipGram implements SkipGram {
  readonly #options: SkipGramOptions;
  readonly #random: Random;
  readonly #centres: Float32Array;
  readonly #contexts: Float32Array;
  readonly #negatives: AliasTable | null;
  readonly #curves = curves();
  /** Where the rows of a pair's context and negatives begin, and each one's share. */
  readonly #others: { readonly at: Uint32Array; readonly share: Float32Array };
  readonly #before: Float32Array;
  #pairs = 0;
  #loss = 0;

  constructor(options: SkipGramOptions) {
    assertSkipGram(options);
    this.#options = options;
    const random = new Random(options.seed);
    this.#centres = initialVectors(options, random);
    this.#random = random.fork();
    this.#contexts = options.tied ? this.#centres : new Float32Array(this.#centres.length);
    this.#negatives = negativesTable(options);
    const { negatives, dimensions } = options;
    this.#others = { at: new Uint32Array(negatives + 1), share: new Float32Array(negatives + 1) };
    this.#before = new Float32Array(dimensions);
  }

  get totals(): SkipGramTotals {
    return { pairs: this.#pairs, loss: this.#loss };
  }

  vectors(): Float32Array {
    return this.#centres.slice();
  }

  train({ walks, length, rate, rateAfter }: SkipGramBatch): void {
    const count = walks.length / length;
    for (let at = 0; at < count; at += 1) {
      const walk = walks.subarray(at * length, (at + 1) * length);
      const end = walk.indexOf(-1);
      this.#trainWalk(end < 0 ? walk : walk.subarray(0, end), rate - ((rate - rateAfter) / count) * at);
    }
  }

  #trainWalk(walk: Int32Array, rate: number): void {
    const { window, tied } = this.#options;
    for (let i = 0; i < walk.length; i += 1) {
      const reach = 1 + this.#random.below(window);
      const last = Math.min(walk.length - 1, i + reach);
      for (let j = Math.max(0, i - reach); j <= last; j += 1) {
        const [context, node] = [walk[i] as number, walk[j] as number];
        if (j !== i && !(tied && node === context)) this.#trainPair(node, context, rate);
      }
    }
  }

  #trainPair(node: number, context: number, rate: number): void {
    const { negatives, dimensions, tied } = this.#options;
    const centre = node * dimensions;
    let count = 0;
    for (let k = 0; k <= negatives; k += 1) {
      const other = k === 0 ? context : this.#negative();
      if (k > 0 && (other === context || (tied && other === node))) continue;
      const x = this.#product(centre, other * dimensions);
      const { sigmoid, softplus } = this.#read(x);
      this.#others.at[count] = other * dimensions;
      this.#others.share[count] = rate * ((k === 0 ? 1 : 0) - sigmoid);
      this.#loss += k === 0 ? softplus - x : softplus;
      count += 1;
    }
    this.#update(centre, count);
    this.#pairs += 1;
  }

  #negative(): number {
    const { nodes } = this.#options;
    if (this.#negatives === null) return this.#random.below(nodes);
    return drawAlias(this.#negatives, 0, nodes, this.#random.uniform());
  }

  #product(centre: number, other: number): number {
    let sum = 0;
    for (let c = 0; c < this.#options.dimensions; c += 1) {
      sum += (this.#centres[centre + c] as number) * (this.#contexts[other + c] as number);
    }
    return Math.max(-rangeMax, Math.min(rangeMax, sum));
  }

  #read(x: number): { sigmoid: number; softplus: number } {
    const place = (x + rangeMax) * stepsPerUnit;
    const step = Math.min(Math.floor(place), steps - 1);
    const part = place - step;
    const between = (place: number) => {
      const [low, high] = [this.#curves[place] as number, this.#curves[place + 2] as number];
      return low + part * (high - low);
    };
    return { sigmoid: between(2 * step), softplus: between(2 * step + 1) };
  }

  #update(centre: number, count: number): void {
    const { dimensions } = this.#options;
    this.#before.set(this.#centres.subarray(centre, centre + dimensions));
    for (let k = 0; k < count; k += 1) {
      const at = this.#others.at[k] as number;
      const share = this.#others.share[k] as number;
      for (let c = 0; c < dimensions; c += 1) {
        const other = this.#contexts[at + c] as number;
        this.#centres[centre + c] = (this.#centres[centre + c] as number) + share * other;
        this.#contexts[at + c] = other + share * (this.#before[c] as number);
      }
    }
  }
}
