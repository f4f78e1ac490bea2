import { batchesByLength } from "@medley/models";
import { sessionOptions } from "@medley/models/session-options";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { type ReplacedTensor, replaceTensors } from "../engine/replace-tensors.ts";
import { tokenFeeds } from "./hidden-states.ts";
import type { Tail } from "./tail-training.ts";
import type { TextBackbone, TokenRow } from "./text-backbone.ts";

const bounds = { paddedValuesMax: 4_096, batchRowsMax: 32, runCostValues: 32, pads: true };

export interface TailVectorsOptions {
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The unit vectors [rows, dimensions] that a backbone gives with `trained` in the place of its weights: from the hidden states before
 * the cut through the graph that will serve.
 */
export async function tailVectors(
  { backbone, cut, part, hidden }: Tail,
  trained: ReadonlyMap<string, ReplacedTensor>,
  rows: readonly TokenRow[],
  { threads, signal }: TailVectorsOptions,
): Promise<Float32Array> {
  const { dimensions } = backbone;
  const { hiddenSize } = backbone.model;
  const options = { ...sessionOptions, intraOpNumThreads: threads };
  const session = await InferenceSession.create(replaceTensors(part, trained), options);
  try {
    const vectors = new Float32Array(rows.length * dimensions);
    const lengths = rows.map(({ ids }) => ids.length);
    for (const batch of batchesByLength(lengths, bounds)) {
      signal?.throwIfAborted();
      const chosen = batch.map((index) => rows[index] as TokenRow);
      const length = Math.max(...chosen.map(({ ids }) => ids.length));
      const values = new Float32Array(chosen.length * length * hiddenSize);
      for (const [at, row] of chosen.entries()) {
        await hidden.read(row, values.subarray(at * length * hiddenSize));
      }
      const feeds = {
        [cut.tensor]: new Tensor("float32", values, [chosen.length, length, hiddenSize]),
        ...tokenFeeds(chosen, { length, batchRows: chosen.length, names: cut.inputs }),
      };
      const states = (await session.run(feeds, [cut.output]))[cut.output]?.data as Float32Array;
      for (const [at, index] of batch.entries()) {
        const its = states.subarray(at * length * hiddenSize, (at + 1) * length * hiddenSize);
        const out = vectors.subarray(index * dimensions, (index + 1) * dimensions);
        poolInto(out, its, chosen[at] as TokenRow, length, backbone);
      }
    }
    return vectors;
  } finally {
    await session.release();
  }
}

function poolInto(
  out: Float32Array,
  states: Float32Array,
  row: TokenRow,
  length: number,
  backbone: TextBackbone,
): void {
  const { hiddenSize, pooling } = backbone.model;
  const weights = new Float32Array(pooling.modes.length * length);
  backbone.writePooling(row, length, weights);
  const pooled = new Float64Array(out.length);
  for (let mode = 0; mode < pooling.modes.length; mode += 1) {
    for (let token = 0; token < length; token += 1) {
      const weight = weights[mode * length + token] as number;
      if (weight === 0) continue;
      for (let d = 0; d < hiddenSize; d += 1) {
        const at = mode * hiddenSize + d;
        pooled[at] = (pooled[at] as number) + weight * (states[token * hiddenSize + d] as number);
      }
    }
  }
  const norm = Math.sqrt(pooled.reduce((sum, x) => sum + x * x, 0)) || 1;
  for (const [at, x] of pooled.entries()) out[at] = x / norm;
}
