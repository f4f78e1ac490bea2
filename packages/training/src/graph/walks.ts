import { strict as assert } from "node:assert";
import { Random } from "@medley/core";
import { type Adjacency, edgeBetween, shared } from "./adjacency.ts";
import { type AliasTable, drawAlias, fillAlias } from "./alias.ts";

/** How walks go on: Grover & Leskovec, "node2vec: Scalable Feature Learning for Networks", 2016, §3.2. */
export interface WalkOptions {
  /** Nodes of a walk, its start among them. */
  readonly length: number;
  /** Return: the weight of going straight back is divided by it. */
  readonly p: number;
  /** In-out: the weight of going to a node that the one before has no edge to is divided by it. */
  readonly q: number;
  readonly seed: number;
}

/** What walks need of a graph; its arrays can be in memory that threads share. */
export interface WalkGraph extends Pick<Adjacency, "offsets" | "targets" | "weights"> {
  /** Null where all weights are the same. */
  readonly draws: AliasTable | null;
}

export function walkGraph({ offsets, targets, weights, uniform }: Adjacency): WalkGraph {
  if (uniform) return { offsets, targets, weights, draws: null };
  const draws = {
    probability: shared(Float32Array, targets.length),
    alias: shared(Uint32Array, targets.length),
  };
  for (let node = 0; node + 1 < offsets.length; node += 1) {
    fillAlias(weights, offsets[node] as number, offsets[node + 1] as number, draws);
  }
  return { offsets, targets, weights, draws };
}

/** Where no candidate is accepted in so many draws, the next node is drawn from the whole distribution. */
const rejectionsMax = 32;

/** Draws walks; one at a time, each from a seed of its own, so that it is the same in whichever thread and order it is drawn. */
export class Walker {
  readonly #graph: WalkGraph;
  readonly #options: WalkOptions;
  readonly #back: number;
  readonly #out: number;
  readonly #biasMax: number;
  readonly #biased: boolean;

  constructor(graph: WalkGraph, options: WalkOptions) {
    assert(Number.isInteger(options.length) && options.length >= 2, "a walk has at least two nodes");
    assert(options.p > 0 && options.q > 0 && Number.isFinite(options.p + options.q), "p and q are above 0");
    this.#graph = graph;
    this.#options = options;
    [this.#back, this.#out] = [1 / options.p, 1 / options.q];
    this.#biasMax = Math.max(this.#back, 1, this.#out);
    this.#biased = options.p !== 1 || options.q !== 1;
  }

  /** Writes a walk for each of `starts` into `walks` [starts, length], -1 after the end of one that comes to a node without edges. */
  walkAll(starts: Uint32Array, first: number, walks: Int32Array): void {
    const { length, seed } = this.#options;
    for (let at = 0; at < starts.length; at += 1) {
      const random = new Random(mixed(first + at) ^ seed);
      this.#walk(starts[at] as number, random, walks.subarray(at * length, (at + 1) * length));
    }
  }

  #walk(start: number, random: Random, walk: Int32Array): void {
    walk.fill(-1);
    walk[0] = start;
    let previous = -1;
    let current = start;
    for (let step = 1; step < walk.length; step += 1) {
      const next = this.#next(previous, current, random);
      if (next < 0) return;
      walk[step] = next;
      previous = current;
      current = next;
    }
  }

  #next(previous: number, current: number, random: Random): number {
    const { offsets, targets, draws } = this.#graph;
    const from = offsets[current] as number;
    const count = (offsets[current + 1] as number) - from;
    if (count === 0) return -1;
    // Rejection sampling (as in KnightKing, Yang et al. 2019): no table per pair of nodes, and no list of neighbours is read.
    for (let tries = 0; tries < rejectionsMax; tries += 1) {
      const uniform = random.uniform();
      const slot = draws === null ? Math.floor(uniform * count) : drawAlias(draws, from, count, uniform);
      const next = targets[from + slot] as number;
      if (previous < 0 || !this.#biased) return next;
      if (random.uniform() * this.#biasMax < this.#bias(previous, next)) return next;
    }
    return this.#nextOfAll(previous, current, random);
  }

  #bias(previous: number, next: number): number {
    if (next === previous) return this.#back;
    return edgeBetween(this.#graph, previous, next) >= 0 ? 1 : this.#out;
  }

  #nextOfAll(previous: number, current: number, random: Random): number {
    const { offsets, targets, weights } = this.#graph;
    const [from, to] = [offsets[current] as number, offsets[current + 1] as number];
    const sums = new Float64Array(to - from);
    let sum = 0;
    for (let place = from; place < to; place += 1) {
      sum += (weights[place] as number) * this.#bias(previous, targets[place] as number);
      sums[place - from] = sum;
    }
    const drawn = random.uniform() * sum;
    const slot = sums.findIndex((upTo) => drawn < upTo);
    return targets[slot < 0 ? to - 1 : from + slot] as number;
  }
}

/** Neighbouring numbers to numbers far apart: the end of MurmurHash3 (Appleby, public domain). */
function mixed(index: number): number {
  let bits = index | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
