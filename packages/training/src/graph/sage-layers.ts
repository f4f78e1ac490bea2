import type { Aggregator } from "@medley/models";
import { type Graph, glorotInitial, type Value } from "../engine/index.ts";

export interface SageSizes {
  readonly features: number;
  /** Of the first layer, and of what is pooled. */
  readonly hidden: number;
  readonly dimensions: number;
  readonly aggregator: Aggregator;
}

/** Lengths of what a node says to its neighbours in the first layer and in the second. */
export function messageSizes({ hidden, dimensions, aggregator }: SageSizes): readonly [number, number] {
  return aggregator === "mean" ? [hidden, dimensions] : [hidden, hidden];
}

/**
 * Two layers of GraphSAGE (Hamilton, Ying & Leskovec, "Inductive Representation Learning on Large Graphs", 2017): a node is what it is,
 * and what its neighbours say. With the mean aggregator a neighbour says its vector times a matrix (the mean of products is the
 * product of the mean), with the pooling one that after a bias and relu, of which the largest numbers count. All tensors are
 * [..., width]; the methods use the same parameters wherever they are called.
 */
export class SageLayers {
  readonly #sizes: SageSizes;
  readonly #first: Layer;
  readonly #second: Layer;

  constructor(graph: Graph, sizes: SageSizes) {
    this.#sizes = sizes;
    const { features, hidden, dimensions, aggregator } = sizes;
    const pooled = aggregator === "pool" ? hidden : null;
    this.#first = graph.scoped("first", () => new Layer(graph, features, hidden, pooled));
    this.#second = graph.scoped("second", () => new Layer(graph, hidden, dimensions, pooled));
  }

  /** What nodes say in the first layer, of their features [..., features]. */
  firstMessage(features: Value): Value {
    return this.#first.message(features);
  }

  /** Nodes after the first layer, [..., hidden]. `heard`: what the neighbours' messages are together. */
  hidden(features: Value, heard: Value): Value {
    return this.#first.combine(features, heard).relu();
  }

  /** What nodes say in the second layer, of what they are after the first. */
  secondMessage(hidden: Value): Value {
    return this.#second.message(hidden);
  }

  /** [..., dimensions] */
  embedding(hidden: Value, heard: Value): Value {
    return this.#second.combine(hidden, heard);
  }

  /**
   * What is heard [rows, width] of messages [rows, neighbours, width]; `weights` [rows, neighbours] sum to 1, or are all 0 where
   * there are no neighbours, and 0 where there are fewer.
   */
  hear(messages: Value, weights: Value): Value {
    const [rows, neighbours, width] = messages.shape as [number, number, number];
    if (this.#sizes.aggregator === "mean") {
      return weights.reshape([rows, 1, neighbours]).matmul(messages).reshape([rows, width]);
    }
    return messages.mul(weights.reshape([rows, neighbours, 1]).atLeast(weightMin)).largest([1]);
  }
}

/** Below any neighbour's share. */
const weightMin = 1e-30;

class Layer {
  readonly #own: Value;
  readonly #bias: Value;
  readonly #neighbours: Value;
  readonly #pool: { readonly weight: Value; readonly bias: Value } | null;

  constructor(graph: Graph, inputs: number, outputs: number, pooled: number | null) {
    const matrix = (name: string, from: number, to: number) =>
      graph.parameter(name, [from, to], glorotInitial(from, to));
    this.#own = matrix("own", inputs, outputs);
    this.#neighbours = matrix("neighbours", pooled ?? inputs, outputs);
    this.#bias = graph.parameter("bias", [outputs], new Float32Array(outputs));
    this.#pool =
      pooled === null
        ? null
        : {
            weight: matrix("pool", inputs, pooled),
            bias: graph.parameter("pool-bias", [pooled], new Float32Array(pooled)),
          };
  }

  message(x: Value): Value {
    if (this.#pool === null) return x.matmul(this.#neighbours);
    return x.matmul(this.#pool.weight).add(this.#pool.bias).relu();
  }

  combine(x: Value, heard: Value): Value {
    const said = this.#pool === null ? heard : heard.matmul(this.#neighbours);
    return x.matmul(this.#own).add(said).add(this.#bias);
  }
}
