import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";

/** One edge of a graph, as records give them. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  /** Above 0, finite; default 1. */
  readonly weight?: number;
}

export interface AdjacencyOptions {
  /** Whether an edge leads one way only. Default false. */
  readonly directed?: boolean;
  /** Nodes that there are whether an edge names them or not; they come first, in this order. */
  readonly nodes?: Iterable<string>;
}

/**
 * A graph in compressed sparse rows, in memory that threads share. Node `i` is `ids[i]`; its edges are those from `offsets[i]`
 * up to `offsets[i + 1]`, by ascending target. Edges given more than once are one, with the sum of their weights; an edge of a
 * node to itself is an edge. Without direction, each edge is there from both its ends.
 */
export interface Adjacency {
  readonly ids: readonly string[];
  /** [nodes + 1] */
  readonly offsets: Uint32Array;
  /** [edges] */
  readonly targets: Uint32Array;
  /** [edges] */
  readonly weights: Float32Array;
  /** Whether all weights are the same. */
  readonly uniform: boolean;
}

/** Of one graph; ids are numbers of 32 bits, and lists of twice as many edges have to fit a typed array. */
export const nodesMax = 2 ** 24;
export const edgesMax = 2 ** 29;
/** A weight beyond this would be infinite as a float32, or 0. */
const weightMax = 1e30;
const weightMin = 1e-30;
const idCharactersShownMax = 64;

/**
 * Throws `MedleyError` `training_data_invalid` for a weight that is not above 0 and finite (the message names the edge), and for
 * a graph beyond `nodesMax` or `edgesMax`.
 */
export async function adjacencyOf(
  edges: Iterable<Edge> | AsyncIterable<Edge>,
  { directed = false, nodes = [] }: AdjacencyOptions = {},
): Promise<Adjacency> {
  const numbers = new Map<string, number>();
  for (const id of nodes) numberOf(numbers, id);
  const list = new EdgeList();
  for await (const edge of edges) {
    const { from, to, weight = 1 } = edge;
    if (!(weight >= weightMin && weight <= weightMax)) throw weightRefusal(edge);
    const [source, target] = [numberOf(numbers, from), numberOf(numbers, to)];
    list.push(source, target, weight);
    if (!directed && source !== target) list.push(target, source, weight);
  }
  return { ids: [...numbers.keys()], ...list.rows(numbers.size) };
}

function weightRefusal({ from, to, weight }: Edge): MedleyError {
  const [source, target] = [from, to].map((id) => JSON.stringify(id.slice(0, idCharactersShownMax)));
  return new MedleyError(
    "training_data_invalid",
    `the edge from ${source} to ${target} has the weight ${weight}, which is not between ${weightMin} and ${weightMax}`,
    { mend: "give every edge a weight above 0, or leave the edge out" },
  );
}

function numberOf(numbers: Map<string, number>, id: string): number {
  const known = numbers.get(id);
  if (known !== undefined) return known;
  if (numbers.size === nodesMax) {
    throw new MedleyError("training_data_invalid", `the graph has more than ${nodesMax} nodes`, {
      mend: "train on a part of it",
    });
  }
  numbers.set(id, numbers.size);
  return numbers.size - 1;
}

/** Edges in the order they come, in arrays that double when they are full. */
class EdgeList {
  #sources = new Uint32Array(1024);
  #targets = new Uint32Array(1024);
  #weights = new Float64Array(1024);
  #count = 0;

  push(source: number, target: number, weight: number): void {
    if (this.#count === this.#sources.length) this.#grow();
    this.#sources[this.#count] = source;
    this.#targets[this.#count] = target;
    this.#weights[this.#count] = weight;
    this.#count += 1;
  }

  #grow(): void {
    const capacity = 2 * this.#count;
    if (capacity > 2 * edgesMax) {
      throw new MedleyError("training_data_invalid", `the graph has more than ${edgesMax} edges`, {
        mend: "train on a part of it",
      });
    }
    const [sources, targets, weights] = [this.#sources, this.#targets, this.#weights];
    this.#sources = new Uint32Array(capacity);
    this.#targets = new Uint32Array(capacity);
    this.#weights = new Float64Array(capacity);
    this.#sources.set(sources);
    this.#targets.set(targets);
    this.#weights.set(weights);
  }

  /** Two passes of counting sort, by target and then by source, so that equal edges come to lie beside each other. */
  rows(nodes: number): Omit<Adjacency, "ids"> {
    const count = this.#count;
    const byTarget = countingSort(this.#targets.subarray(0, count), nodes, (place) => place);
    const bySource = countingSort(
      this.#sources.subarray(0, count),
      nodes,
      (place) => byTarget[place] as number,
    );
    const offsets = shared(Uint32Array, nodes + 1);
    const targets = shared(Uint32Array, count);
    const sums = new Float64Array(count);
    let last = -1;
    let previous = -1;
    for (const place of bySource) {
      const [source, target] = [this.#sources[place] as number, this.#targets[place] as number];
      if (source !== previous || targets[last] !== target) {
        last += 1;
        targets[last] = target;
        offsets[source + 1] = (offsets[source + 1] as number) + 1;
      }
      previous = source;
      sums[last] = (sums[last] as number) + (this.#weights[place] as number);
    }
    for (let node = 0; node < nodes; node += 1) {
      offsets[node + 1] = (offsets[node + 1] as number) + (offsets[node] as number);
    }
    const edges = last + 1;
    const weights = shared(Float32Array, edges);
    weights.set(sums.subarray(0, edges));
    const uniform = weights.every((weight) => weight === weights[0]);
    return { offsets, targets: targets.subarray(0, edges), weights, uniform };
  }
}

/** Places by ascending key, those of equal keys in the order in which `placeOf` gives them. */
function countingSort(keys: Uint32Array, keysMax: number, placeOf: (order: number) => number): Uint32Array {
  const starts = new Uint32Array(keysMax + 1);
  for (const key of keys) starts[key + 1] = (starts[key + 1] as number) + 1;
  for (let key = 0; key < keysMax; key += 1)
    starts[key + 1] = (starts[key + 1] as number) + (starts[key] as number);
  const sorted = new Uint32Array(keys.length);
  for (let order = 0; order < keys.length; order += 1) {
    const place = placeOf(order);
    const key = keys[place] as number;
    sorted[starts[key] as number] = place;
    starts[key] = (starts[key] as number) + 1;
  }
  return sorted;
}

/** A typed array in memory that threads share. */
export function shared<Typed>(
  type: { new (buffer: SharedArrayBuffer): Typed; readonly BYTES_PER_ELEMENT: number },
  length: number,
): Typed {
  assert(Number.isSafeInteger(length) && length >= 0);
  return new type(new SharedArrayBuffer(length * type.BYTES_PER_ELEMENT));
}

/** The place of the edge from `source` to `target`, or -1: a binary search. */
export function edgeBetween(
  { offsets, targets }: Pick<Adjacency, "offsets" | "targets">,
  source: number,
  target: number,
): number {
  let low = offsets[source] as number;
  let high = (offsets[source + 1] as number) - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = targets[middle] as number;
    if (found === target) return middle;
    if (found < target) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
