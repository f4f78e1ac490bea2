import { strict as assert } from "node:assert";
import { availableParallelism } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { MedleyError } from "@medley/core";
import { nodesFile } from "@medley/models";
import { bagModel } from "../bag-model.ts";
import type { TrainingOptions, TrainingProgress } from "../progress.ts";
import type { Curve, TrainedModel } from "../trained-model.ts";
import { type Adjacency, adjacencyOf, type Edge } from "./adjacency.ts";
import type { SkipGram } from "./skip-gram.ts";
import { openSkipGram } from "./skip-gram-kernel.ts";
import { drawWalks } from "./walk-threads.ts";
import { walkGraph } from "./walks.ts";

export interface Node2VecOptions extends TrainingOptions {
  readonly dimensions: number;
  /** Whether an edge leads one way only. Default false. */
  readonly directed?: boolean;
  /** The weight of a walk's going straight back is divided by it. Default 4. */
  readonly p?: number;
  /** The weight of a walk's going away from where it came from is divided by it. Default 1. */
  readonly q?: number;
  /** Nodes of a walk. Default 20. */
  readonly walkLength?: number;
  /** Each is trained on once. Default 20. */
  readonly walksPerNode?: number;
  /** How near nodes of a walk have to be to be taken for near, in steps. Default 10. */
  readonly window?: number;
  /** Per pair of near nodes. Default 1. */
  readonly negatives?: number;
  /**
   * Which nodes are drawn as negatives: each as often as any other, or by the sum of its edges' weights (walks come to it as
   * often, if edges lead both ways) to the power of .75, as word2vec draws words. Default `uniform`.
   */
  readonly negativesBy?: "uniform" | "degree";
  /** Whether a node has one vector, or another one where it is the context of others, as in word2vec. Default one. */
  readonly tied?: boolean;
  /** Learning rate at the beginning; it falls evenly to a hundredth. Default .1. */
  readonly rate?: number;
}

/** Vectors of a graph's nodes, and how their training went. */
export interface NodeVectors {
  /** [nodes, dimensions], row-major, of unit length; all zero for a node that no walk brought together with another. */
  readonly vectors: Float32Array;
  readonly pairs: number;
  readonly curve: Curve;
}

const defaults: Required<Omit<Node2VecOptions, "dimensions" | "directed" | keyof TrainingOptions>> = {
  p: 4,
  q: 1,
  walkLength: 20,
  walksPerNode: 20,
  window: 10,
  negatives: 1,
  negativesBy: "uniform",
  tied: true,
  rate: 0.1,
};
type Settings = typeof defaults & Node2VecOptions;
const rateEnd = 0.01;
/** Of the curve. */
const pointsMax = 100;
/** Walks that are trained on without a look at the signal: some milliseconds. */
const turnWalks = 256;
/** From so many steps of walks on, drawing them in a thread saves more than the thread costs (a second against a quarter of one). */
const threadStepsMin = 2e7;
/** Of a table: what a file of ONNX can hold. */
const tableBytesMax = 2 ** 31 - 2 ** 20;

/**
 * Node2Vec (Grover & Leskovec, "node2vec: Scalable Feature Learning for Networks", 2016): nodes that random walks bring together
 * get vectors of a high cosine. The artefact is a `bag`: a node that was trained on is its own row of the table.
 *
 * The walks of a node are all different and each is trained on once, where the paper goes over the same ones several times.
 * The vectors follow from the seed alone. Where the signal ends the training early they are what they are by then.
 *
 * Throws `MedleyError` `training_data_invalid` for edges that `adjacencyOf` refuses, for a graph without an edge between two
 * nodes, and for one whose table would be too large for a file.
 */
export async function trainNode2Vec(
  edges: Iterable<Edge> | AsyncIterable<Edge>,
  options: Node2VecOptions,
): Promise<TrainedModel> {
  const adjacency = await adjacencyOf(edges, { directed: options.directed ?? false });
  const { vectors, pairs, curve } = await embedNodes(adjacency, options);
  const { dimensions } = options;
  const kept = adjacency.ids.flatMap((_, node) => (isZero(vectors, node, dimensions) ? [] : [node]));
  const table = new Float32Array(kept.length * dimensions);
  kept.forEach((node, row) => {
    table.set(vectors.subarray(node * dimensions, (node + 1) * dimensions), row * dimensions);
  });
  const ids = kept.map((node) => adjacency.ids[node]);
  const { directed = false, p = defaults.p, q = defaults.q } = options;
  return {
    manifest: { kind: "node2vec", dimensions, directed, p, q, nodes: kept.length },
    files: new Map([
      ["model.onnx", bagModel(table, dimensions)],
      [nodesFile, new TextEncoder().encode(JSON.stringify(ids))],
    ]),
    metrics: {
      "train/loss": curve.points.at(-1)?.value ?? Number.NaN,
      "train/pairs": pairs,
      "data/nodes": adjacency.ids.length,
      "data/edges": adjacency.targets.length,
    },
    curves: [curve],
  };
}

/** The vectors of all nodes of a graph, known as `adjacency`'s. */
export async function embedNodes(adjacency: Adjacency, given: Node2VecOptions): Promise<NodeVectors> {
  const options = { ...defaults, ...given };
  const {
    signal,
    threads = availableParallelism(),
    onProgress,
    seed,
    p,
    q,
    walkLength: length,
    walksPerNode,
  } = options;
  signal?.throwIfAborted();
  checkGraph(adjacency, options.dimensions);
  const nodes = adjacency.ids.length;
  const total = nodes * walksPerNode;
  const plan = {
    ...{ length, p, q, seed, walksPerNode },
    threads: total * length < threadStepsMin ? 0 : threads - 1,
  };
  const training = new Training(adjacency, options, total);
  for await (const walks of drawWalks(walkGraph(adjacency), plan)) {
    for (let from = 0; from < walks.length && !signal?.aborted; from += turnWalks * length) {
      training.train(walks.subarray(from, from + turnWalks * length));
      onProgress?.(training.progress);
      await turn();
    }
    if (signal?.aborted) break;
  }
  return training.result();
}

function checkGraph({ offsets, targets, ids }: Adjacency, dimensions: number): void {
  assert(Number.isSafeInteger(dimensions) && dimensions > 0);
  const between = ids.some((_, node) => {
    const [from, to] = [offsets[node] as number, offsets[node + 1] as number];
    return targets.subarray(from, to).some((target) => target !== node);
  });
  if (!between) {
    throw new MedleyError("training_data_invalid", "the graph has no edge between two nodes", {
      mend: "train when there are records whose edges lead to others",
    });
  }
  if (4 * dimensions * ids.length > tableBytesMax) {
    throw new MedleyError(
      "training_data_invalid",
      `${ids.length} nodes of ${dimensions} dimensions are more than a model file can hold`,
      { mend: `give the space at most ${Math.floor(tableBytesMax / 4 / ids.length)} dimensions` },
    );
  }
}

function isZero(vectors: Float32Array, node: number, dimensions: number): boolean {
  return vectors.subarray(node * dimensions, (node + 1) * dimensions).every((value) => value === 0);
}

/** A training that goes on from walks to walks: the learning rate, the curve, and which nodes were part of it. */
class Training {
  readonly #skipGram: SkipGram;
  readonly #options: Settings;
  readonly #total: number;
  /** 1 for a node that a walk brought together with another. */
  readonly #met: Uint8Array;
  readonly #points: { step: number; value: number }[] = [];
  #point = { done: 0, pairs: 0, loss: 0 };
  #done = 0;

  constructor(adjacency: Adjacency, options: Settings, total: number) {
    const nodes = adjacency.ids.length;
    const frequencies = options.negativesBy === "uniform" ? {} : { frequencies: degrees(adjacency) };
    this.#skipGram = openSkipGram({ ...options, nodes, ...frequencies }, turnWalks * options.walkLength);
    this.#options = options;
    this.#total = total;
    this.#met = new Uint8Array(nodes);
  }

  train(walks: Int32Array): void {
    const { walkLength: length, rate } = this.#options;
    const rateAt = (done: number) => rate * (1 - (1 - rateEnd) * (done / this.#total));
    const count = walks.length / length;
    this.#skipGram.train({ walks, length, rate: rateAt(this.#done), rateAfter: rateAt(this.#done + count) });
    this.#done += count;
    this.#mark(walks);
    if (this.#done - this.#point.done >= this.#total / pointsMax || this.#done === this.#total) this.#draw();
  }

  get progress(): TrainingProgress {
    const loss = this.#points.at(-1)?.value;
    const progress = { stage: "walks", done: this.#done, total: this.#total, unit: "walks" };
    return loss === undefined ? progress : { ...progress, loss };
  }

  result(): NodeVectors {
    const { dimensions } = this.#options;
    const vectors = this.#skipGram.vectors();
    for (const [node, met] of this.#met.entries()) {
      const vector = vectors.subarray(node * dimensions, (node + 1) * dimensions);
      const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
      const scale = met === 0 || norm === 0 ? 0 : 1 / norm;
      for (let c = 0; c < dimensions; c += 1) vector[c] = (vector[c] as number) * scale;
    }
    return {
      vectors,
      pairs: this.#skipGram.totals.pairs,
      curve: { name: "train/loss", points: this.#points },
    };
  }

  /** A point of the curve: the mean loss of the pairs since the last. */
  #draw(): void {
    const { pairs, loss } = this.#skipGram.totals;
    const { pairs: pairsBefore, loss: lossBefore } = this.#point;
    this.#point = { done: this.#done, pairs, loss };
    if (pairs === pairsBefore) return;
    this.#points.push({ step: this.#done, value: (loss - lossBefore) / (pairs - pairsBefore) });
  }

  #mark(walks: Int32Array): void {
    const { walkLength } = this.#options;
    for (let at = 1; at < walks.length; at += 1) {
      const [before, node] = [walks[at - 1] as number, walks[at] as number];
      if (at % walkLength === 0 || node < 0 || node === before) continue;
      this.#met[before] = 1;
      this.#met[node] = 1;
    }
  }
}

/** Sum of the weights of a node's edges, those that lead to it among them. */
function degrees({ offsets, targets, weights }: Adjacency): Float64Array {
  const sums = new Float64Array(offsets.length - 1);
  for (let node = 0; node < sums.length; node += 1) {
    for (let at = offsets[node] as number; at < (offsets[node + 1] as number); at += 1) {
      for (const end of [node, targets[at] as number])
        sums[end] = (sums[end] as number) + (weights[at] as number);
    }
  }
  return sums;
}
