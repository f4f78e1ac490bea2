import { strict as assert } from "node:assert";
import { batchesByLength } from "@medley/models";
import { cutGraph, onnxTypes } from "@medley/models/onnx";
import { sessionOptions } from "@medley/models/session-options";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { TrainingOptions } from "../progress.ts";
import { RowCache, rowKey } from "./row-cache.ts";
import type { TextBackbone, TokenRow } from "./text-backbone.ts";

export interface HiddenStatesOptions extends Pick<TrainingOptions, "threads" | "signal" | "onProgress"> {
  readonly cacheDirectory?: string | undefined;
  readonly cacheBytesMax: number;
  /**
   * How they are kept. float16 takes half the room; a vector then differs from the one that serves by some 5e-5. Default
   * float16.
   */
  readonly cacheElement?: "float16" | "float32";
}

/** As the worker batches on a CPU: what fits the caches, with little padding. */
const bounds = { paddedValuesMax: 2_048, batchRowsMax: 32, runCostValues: 32, pads: true };
/** At `bounds`, between two reports. */
const batchesPerReport = 8;

/**
 * The values of `tensor` for rows of tokens, each [tokens, hidden size], computed once by the frozen part of a backbone and kept
 * on disk. What an earlier run of the same model and texts has computed is not computed again.
 */
export class HiddenStates implements AsyncDisposable {
  readonly #backbone: TextBackbone;
  readonly #tensor: string;
  readonly #options: HiddenStatesOptions;
  readonly #cache: RowCache;
  readonly #keys = new Map<TokenRow, string>();

  private constructor(backbone: TextBackbone, tensor: string, options: HiddenStatesOptions, cache: RowCache) {
    this.#backbone = backbone;
    this.#tensor = tensor;
    this.#options = options;
    this.#cache = cache;
  }

  static async open(
    backbone: TextBackbone,
    tensor: string,
    options: HiddenStatesOptions,
  ): Promise<HiddenStates> {
    const cache = await RowCache.open({
      directory: options.cacheDirectory,
      of: [backbone.model.model.contents, tensor],
      element: options.cacheElement ?? "float16",
      bytesMax: options.cacheBytesMax,
    });
    return new HiddenStates(backbone, tensor, options, cache);
  }

  /**
   * Computes what is not there of rows that are needed together. Which of them run in one batch follows from all of them,
   * whatever is there: a batch's rounding then is the same when a training that was killed goes on. Throws
   * `training_unsupported` where they don't fit the bound.
   */
  async compute(rows: readonly TokenRow[]): Promise<void> {
    const { hiddenSize } = this.#backbone.model;
    const wanted = rows.map((row) => ({ key: this.#keyOf(row), values: row.ids.length * hiddenSize }));
    await this.#cache.reserve(wanted);
    const different = [...new Map(rows.map((row) => [this.#keyOf(row), row])).values()];
    const lengths = different.map(({ ids }) => ids.length);
    const missing = batchesByLength(lengths, bounds)
      .map((batch) => batch.map((index) => different[index] as TokenRow))
      .filter((batch) => batch.some((row) => !this.#cache.has(this.#keyOf(row))));
    if (missing.length === 0) return;
    const session = await InferenceSession.create(
      cutGraph(this.#backbone.bytes, this.#tensor, {
        dataType: onnxTypes.float32,
        dims: ["batch", "tokens", hiddenSize],
      }),
      { ...sessionOptions, intraOpNumThreads: this.#options.threads ?? 1 },
    );
    try {
      await this.#computeWith(session, missing);
    } finally {
      await session.release();
    }
  }

  /** Writes the hidden states of a row, at most `out` long, into the start of `out`. */
  async read(row: TokenRow, out: Float32Array): Promise<void> {
    await this.#cache.read(this.#keyOf(row), out);
  }

  async close(): Promise<void> {
    await this.#cache.close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #computeWith(session: InferenceSession, batches: readonly (readonly TokenRow[])[]): Promise<void> {
    const { hiddenSize } = this.#backbone.model;
    const { signal, onProgress } = this.#options;
    const total = batches.reduce((sum, batch) => sum + batch.length, 0);
    let done = 0;
    for (const [at, batch] of batches.entries()) {
      signal?.throwIfAborted();
      const length = Math.max(...batch.map(({ ids }) => ids.length));
      const feeds = tokenFeeds(batch, { length, batchRows: batch.length, names: session.inputNames });
      const values = (await session.run(feeds, [this.#tensor]))[this.#tensor]?.data as Float32Array;
      assert.equal(values.length, batch.length * length * hiddenSize, "hidden states of each token");
      for (const [place, row] of batch.entries()) {
        const from = place * length * hiddenSize;
        await this.#cache.put(this.#keyOf(row), values.subarray(from, from + row.ids.length * hiddenSize));
      }
      done += batch.length;
      if (at % batchesPerReport === 0 || done === total)
        onProgress?.({ stage: "frozen part", done, total, unit: "texts" });
    }
  }

  #keyOf(row: TokenRow): string {
    const known = this.#keys.get(row) ?? rowKey(row.ids);
    this.#keys.set(row, known);
    return known;
  }
}

/** Inputs of a batch by the names that the model gives them, padded with zeros to [batchRows, length]. */
export function tokenFeeds(
  rows: readonly TokenRow[],
  { length, batchRows, names }: { length: number; batchRows: number; names: readonly string[] },
): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const name of names) {
    const values = tokenInput(name, rows, { length, batchRows });
    if (values !== null) feeds[name] = new Tensor("int64", values, [batchRows, length]);
  }
  return feeds;
}

/** Null for an input that tokens don't decide. */
export function tokenInput(
  name: string,
  rows: readonly TokenRow[],
  { length, batchRows }: { length: number; batchRows: number },
): BigInt64Array | null {
  const values = new BigInt64Array(batchRows * length);
  if (name === "token_type_ids") return values;
  if (name !== "input_ids" && name !== "attention_mask") return null;
  for (const [row, { ids }] of rows.entries()) {
    const from = row * length;
    if (name === "attention_mask") values.fill(1n, from, from + ids.length);
    else for (const [at, id] of ids.entries()) values[from + at] = BigInt(id);
  }
  return values;
}
