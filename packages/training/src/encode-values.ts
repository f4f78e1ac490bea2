import { strict as assert } from "node:assert";
import { normalize } from "@medley/core";
import { type Features, type FeaturesManifest, featuresOf, trainedForms } from "@medley/models";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { VectorTable } from "./evaluation/nearest-neighbours.ts";
import type { TrainedModel } from "./trained-model.ts";

/** Rows of the table that one run of a bag's graph looks up, padding included; more make several runs. */
const lookupsMax = 2 ** 16;
const tensorRowsMax = 1_024;

/** Those that the model's features take. Of the others (a series too short, or with too many gaps) no vector is made. */
export function encodableValues(model: TrainedModel, values: readonly unknown[]): unknown[] {
  const features = featuresOfModel(model);
  return values.filter((value) => features.row(value as never).ok);
}

/**
 * What a trained model makes of values, by the features and the graph that serve it: vectors of unit length, all zero for
 * values that say nothing. Asserts that no value is one its features refuse.
 */
export async function encodeValues(model: TrainedModel, values: readonly unknown[]): Promise<VectorTable> {
  const { dimensions } = model.manifest;
  const { kind } = model.manifest as FeaturesManifest;
  const features = featuresOfModel(model);
  const rows = values.map((value) => {
    const row = features.row(value as never);
    assert(row.ok, row.ok ? "" : row.failure.message);
    return row.value;
  });
  const session = await InferenceSession.create(model.files.get("model.onnx") as Uint8Array, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const vectors = new Float32Array(rows.length * dimensions);
    const isBag = trainedForms[kind] === "bag";
    for (let start = 0; start < rows.length; ) {
      const batch = isBag ? nextBag(rows, start) : rows.slice(start, start + tensorRowsMax);
      const { embedding } = await session.run(isBag ? bagFeeds(batch) : tensorFeeds(session, batch));
      vectors.set(embedding?.data as Float32Array, start * dimensions);
      start += batch.length;
    }
    for (let at = 0; at < vectors.length; at += dimensions) normalize(vectors.subarray(at, at + dimensions));
    for (const [at, row] of rows.entries()) {
      // A row of nothing is a value that says nothing, whatever a graph with biases makes of it.
      if (row.length === 0) vectors.fill(0, at * dimensions, (at + 1) * dimensions);
    }
    return { values: vectors, dimensions };
  } finally {
    await session.release();
  }
}

function featuresOfModel({ manifest, files }: TrainedModel): Features<never> {
  const features = featuresOf(manifest as FeaturesManifest, files);
  assert(features, `there are features of ${manifest.kind}`);
  return features;
}

function nextBag(rows: readonly Float32Array[], start: number): readonly Float32Array[] {
  let width = 1;
  let end = start;
  for (; end < rows.length; end += 1) {
    width = Math.max(width, (rows[end] as Float32Array).length / 2);
    if (end > start && width * (end + 1 - start) > lookupsMax) break;
  }
  return rows.slice(start, end);
}

/** Rows of [id, weight, ...] pairs, padded to the longest. */
function bagFeeds(rows: readonly Float32Array[]): Record<string, Tensor> {
  const width = Math.max(1, ...rows.map((row) => row.length / 2));
  const ids = new BigInt64Array(rows.length * width);
  const weights = new Float32Array(rows.length * width);
  for (const [row, pairs] of rows.entries()) {
    for (let pair = 0; pair < pairs.length / 2; pair += 1) {
      ids[row * width + pair] = BigInt(pairs[2 * pair] as number);
      weights[row * width + pair] = pairs[2 * pair + 1] as number;
    }
  }
  const dims = [rows.length, width];
  return { ids: new Tensor("int64", ids, dims), weights: new Tensor("float32", weights, dims) };
}

/** The graph's inputs lie end to end in each row. */
function tensorFeeds(session: InferenceSession, rows: readonly Float32Array[]): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  let from = 0;
  for (const input of session.inputMetadata) {
    assert(input.isTensor, "an input that is a tensor");
    const shape = input.shape.slice(1).map(Number);
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    const data = new Float32Array(rows.length * size);
    for (const [at, row] of rows.entries()) {
      assert(row.length === 0 || row.length >= from + size, "a row of the inputs' length");
      data.set(row.subarray(from, from + size), at * size);
    }
    feeds[input.name] = new Tensor("float32", data, [rows.length, ...shape]);
    from += size;
  }
  return feeds;
}
