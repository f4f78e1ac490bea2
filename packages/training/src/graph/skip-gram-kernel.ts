import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { Random } from "@medley/core";
import {
  assertSkipGram,
  curves,
  initialVectors,
  negativesTable,
  PlainSkipGram,
  type SkipGram,
  type SkipGramBatch,
  type SkipGramOptions,
  type SkipGramTotals,
} from "./skip-gram.ts";

/** What is used of it: the types of Node.js leave it out. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
  validate(bytes: Uint8Array): boolean;
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  train(
    centres: number,
    contexts: number,
    row: number,
    nodes: number,
    walks: number,
    count: number,
    length: number,
    window: number,
    negatives: number,
    probability: number,
    alias: number,
    curves: number,
    rows: number,
    rate: number,
    rateFall: number,
    state: number,
  ): void;
}

const pageBytes = 65_536;
/** The kernel goes over a row in steps of so many bytes. */
const stepBytes = 64;
/** Of WebAssembly with addresses of 32 bits. */
const memoryBytesMax = 2 ** 32 - pageBytes;
/** The random numbers' state and the sums. */
const stateBytes = 24;

const bytes = readFileSync(new URL("./skip-gram.wasm", import.meta.url));

/** The kernel where this machine can run it and the vectors fit its memory, and plain TypeScript (9 times slower) elsewhere. */
export function openSkipGram(options: SkipGramOptions, walksNodesMax: number): SkipGram {
  const fits = KernelSkipGram.bytesOf(options, walksNodesMax) <= memoryBytesMax;
  return fits && WebAssembly.validate(bytes)
    ? new KernelSkipGram(options, walksNodesMax)
    : new PlainSkipGram(options);
}

/** Skip-gram by infra/skip-gram-kernel/kernel.as, in a memory of its own. Equal to `PlainSkipGram` up to rounding. */
export class KernelSkipGram implements SkipGram {
  readonly #options: SkipGramOptions;
  readonly #exports: Exports;
  /** Bytes of a vector's place. */
  readonly #row: number;
  readonly #places: {
    readonly centres: number;
    readonly contexts: number;
    readonly probability: number;
    readonly alias: number;
    readonly curves: number;
    readonly rows: number;
    readonly state: number;
    readonly walks: number;
  };
  readonly #walksNodesMax: number;
  #end = stepBytes;

  /** `walksNodesMax`: how many nodes the walks of one batch may have together. */
  constructor(options: SkipGramOptions, walksNodesMax: number) {
    assertSkipGram(options);
    this.#options = options;
    this.#walksNodesMax = walksNodesMax;
    this.#exports = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Exports;
    const { nodes, tied, negatives, dimensions } = options;
    this.#row = rowBytes(dimensions);
    const centres = this.#place(nodes * this.#row);
    const table = negativesTable(options);
    this.#places = {
      centres,
      contexts: tied ? centres : this.#place(nodes * this.#row),
      // 0, where nothing is placed, says that there is none.
      probability: table === null ? 0 : this.#place(4 * nodes),
      alias: table === null ? 0 : this.#place(4 * nodes),
      curves: this.#place(curves().byteLength),
      rows: this.#place(8 * (negatives + 1)),
      state: this.#place(stateBytes),
      walks: this.#place(4 * walksNodesMax),
    };
    this.#grow();
    const random = new Random(options.seed);
    this.#writeVectors(initialVectors(options, random));
    this.#floats(this.#places.curves, curves().length).set(curves());
    if (table !== null) {
      this.#floats(this.#places.probability, nodes).set(table.probability);
      new Uint32Array(this.#buffer, this.#places.alias, nodes).set(table.alias);
    }
    new Uint32Array(this.#buffer, this.#places.state, 1)[0] = random.uint32();
  }

  /** Of memory, at most. */
  static bytesOf({ nodes, dimensions, tied }: SkipGramOptions, walksNodesMax: number): number {
    return nodes * (rowBytes(dimensions) * (tied ? 1 : 2) + 8) + 4 * walksNodesMax + 2 ** 20;
  }

  get totals(): SkipGramTotals {
    const [pairs, loss] = new Float64Array(this.#buffer, this.#places.state + 8, 2) as unknown as [
      number,
      number,
    ];
    return { pairs, loss };
  }

  train({ walks, length, rate, rateAfter }: SkipGramBatch): void {
    assert(walks.length <= this.#walksNodesMax && walks.length % length === 0);
    const { nodes, window, negatives } = this.#options;
    const { centres, contexts, probability, alias, curves, rows, state, walks: at } = this.#places;
    new Int32Array(this.#buffer, at, walks.length).set(walks);
    const count = walks.length / length;
    const rateFall = (rate - rateAfter) / count;
    this.#exports.train(
      centres,
      contexts,
      this.#row,
      nodes,
      at,
      count,
      length,
      window,
      negatives,
      probability,
      alias,
      curves,
      rows,
      rate,
      rateFall,
      state,
    );
  }

  vectors(): Float32Array {
    const { nodes, dimensions } = this.#options;
    const vectors = new Float32Array(nodes * dimensions);
    for (let node = 0; node < nodes; node += 1) {
      vectors.set(this.#floats(this.#places.centres + node * this.#row, dimensions), node * dimensions);
    }
    return vectors;
  }

  #writeVectors(vectors: Float32Array): void {
    const { nodes, dimensions } = this.#options;
    for (let node = 0; node < nodes; node += 1) {
      const vector = vectors.subarray(node * dimensions, (node + 1) * dimensions);
      this.#floats(this.#places.centres + node * this.#row, dimensions).set(vector);
    }
  }

  get #buffer(): ArrayBuffer {
    return this.#exports.memory.buffer;
  }

  #floats(at: number, count: number): Float32Array {
    return new Float32Array(this.#buffer, at, count);
  }

  #place(size: number): number {
    const at = this.#end;
    this.#end = Math.ceil((at + size) / stepBytes) * stepBytes;
    return at;
  }

  #grow(): void {
    const missing = this.#end - this.#buffer.byteLength;
    if (missing > 0) this.#exports.memory.grow(Math.ceil(missing / pageBytes));
  }
}

function rowBytes(dimensions: number): number {
  return Math.ceil((4 * dimensions) / stepBytes) * stepBytes;
}
