import { Random } from "@medley/core";
import type { Aggregator } from "@medley/models";
import { drawAlias } from "./alias.ts";
import type { FeatureRows } from "./feature-rows.ts";
import type { WalkGraph } from "./walks.ts";

/** How many neighbours of a node are drawn, and how many of each of those. */
export type Fanout = readonly [first: number, second: number];

export interface SageBatchOptions {
  readonly targets: number;
  readonly fanout: Fanout;
  readonly aggregator: Aggregator;
  /** Share of the features that are dropped. */
  readonly dropout: number;
}

/**
 * The tensors of a batch of `targets` nodes, row-major; nodes are the targets, then `first` neighbours of each. They are written anew
 * by each `fill`.
 *
 * `features` [nodes, features]; `weights` [targets, first], shares of the neighbours, 0 where a target has fewer;
 * mean: `heard-features` [nodes, features], the weighted mean of each node's neighbours;
 * pool: `neighbour-features` [nodes, second, features], `neighbour-weights` [nodes, second].
 */
export class SageBatches {
  readonly #graph: WalkGraph;
  readonly #rows: FeatureRows;
  readonly #options: SageBatchOptions;
  #random = new Random(0);
  readonly #nodes: Int32Array;
  readonly #near: { readonly nodes: Int32Array; readonly weights: Float32Array };
  readonly #tensors: Record<string, Float32Array>;

  constructor(graph: WalkGraph, rows: FeatureRows, options: SageBatchOptions) {
    this.#graph = graph;
    this.#rows = rows;
    this.#options = options;
    const { targets, fanout, aggregator } = options;
    const nodes = targets * (1 + fanout[0]);
    this.#nodes = new Int32Array(nodes);
    this.#near = { nodes: new Int32Array(fanout[1]), weights: new Float32Array(fanout[1]) };
    const heard: Record<string, Float32Array> =
      aggregator === "mean"
        ? { "heard-features": new Float32Array(nodes * rows.width) }
        : {
            "neighbour-features": new Float32Array(nodes * fanout[1] * rows.width),
            "neighbour-weights": new Float32Array(nodes * fanout[1]),
          };
    this.#tensors = {
      features: new Float32Array(nodes * rows.width),
      weights: new Float32Array(targets * fanout[0]),
      ...heard,
    };
  }

  fill(targets: ArrayLike<number>, random: Random): Readonly<Record<string, Float32Array>> {
    this.#random = random;
    const { fanout, dropout } = this.#options;
    const { width } = this.#rows;
    for (const tensor of Object.values(this.#tensors)) tensor.fill(0);
    const { features, weights } = this.#tensors as { features: Float32Array; weights: Float32Array };
    this.#nodes.set(targets);
    for (let target = 0; target < targets.length; target += 1) {
      const at = target * fanout[0];
      const end = targets.length + at + fanout[0];
      const nodes = this.#nodes.subarray(end - fanout[0], end);
      this.#draw(targets[target] as number, nodes, weights.subarray(at, at + fanout[0]));
    }
    for (const [at, node] of this.#nodes.entries()) {
      if (node < 0) continue;
      this.#rows.add(node, 1, features, at * width, dropout, this.#random);
      this.#hear(node, at);
    }
    return this.#tensors;
  }

  #hear(node: number, at: number): void {
    const { fanout, dropout } = this.#options;
    const { width } = this.#rows;
    const { nodes, weights } = this.#near;
    this.#draw(node, nodes, weights);
    const means = this.#tensors["heard-features"];
    const [each, shares] = [this.#tensors["neighbour-features"], this.#tensors["neighbour-weights"]];
    shares?.set(weights, at * fanout[1]);
    for (const [slot, neighbour] of nodes.entries()) {
      if (neighbour < 0) break;
      const share = weights[slot] as number;
      if (means !== undefined) this.#rows.add(neighbour, share, means, at * width, dropout, this.#random);
      if (each === undefined) continue;
      this.#rows.add(neighbour, 1, each, (at * fanout[1] + slot) * width, dropout, this.#random);
    }
  }

  /** A node's neighbours with their shares, all of them where they fit, else drawn by their weights; -1 and 0 after the last. */
  #draw(node: number, nodes: Int32Array, weights: Float32Array): void {
    const { offsets, targets, weights: edgeWeights, draws } = this.#graph;
    nodes.fill(-1);
    weights.fill(0);
    if (node < 0) return;
    const from = offsets[node] as number;
    const count = (offsets[node + 1] as number) - from;
    if (count <= nodes.length) {
      let total = 0;
      for (let slot = 0; slot < count; slot += 1) total += edgeWeights[from + slot] as number;
      for (let slot = 0; slot < count; slot += 1) {
        nodes[slot] = targets[from + slot] as number;
        weights[slot] = (edgeWeights[from + slot] as number) / total;
      }
      return;
    }
    weights.fill(1 / nodes.length);
    for (let slot = 0; slot < nodes.length; slot += 1) {
      const uniform = this.#random.uniform();
      const place = draws === null ? Math.floor(uniform * count) : drawAlias(draws, from, count, uniform);
      nodes[slot] = targets[from + place] as number;
    }
  }
}
