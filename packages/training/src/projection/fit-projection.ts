import { MedleyError, Random } from "@medley/core";
import { encodeOnnx, nodeOf, onnxTypes, tensorOf, valueInfoOf } from "@medley/models/onnx";
import type { DenseMatrix } from "../linear-algebra/matrix.ts";
import type { TrainingOptions } from "../progress.ts";
import type { TrainedModel } from "../trained-model.ts";
import { principalAxes, randomAxes, SecondMoment } from "./axes.ts";

export interface ProjectionOptions extends TrainingOptions {
  readonly by: "pca" | "random";
  /** Of what comes out; fewer than the segments have. */
  readonly dimensions: number;
  /** Identity of the encoder that the segments are by: the axes serve no other. */
  readonly encoder: string;
}

/**
 * Axes for the segments of an encoder, as an artefact: principal ones, or random ones. Segments are read once, and none is kept; those that
 * are all zero say nothing. Throws `training_data_invalid` without any, or with fewer than there are to be principal axes. After `signal`
 * those read by then are enough.
 */
export async function fitProjection(
  segments: AsyncIterable<Float32Array>,
  { by, dimensions, encoder, seed, signal, onProgress }: ProjectionOptions,
): Promise<TrainedModel> {
  let moment: SecondMoment | null = null;
  for await (const segment of segments) {
    if (signal?.aborted) break;
    if (segment.every((x) => x === 0)) continue;
    moment ??= new SecondMoment(segment.length);
    moment.add(segment);
    onProgress?.({ stage: "segments", done: moment.count, total: 0, unit: "records" });
  }
  const count = moment?.count ?? 0;
  const least = by === "pca" ? dimensions : 1;
  if (moment === null || count < least) throw tooFew(count, least);
  const random = new Random(seed);
  const { matrix, kept } =
    by === "pca"
      ? await principalAxes(moment, { to: dimensions, random, signal })
      : randomAxes(moment, { to: dimensions, random });
  return {
    manifest: { kind: by, dimensions, encoder },
    files: new Map([["model.onnx", projectionModel(matrix)]]),
    metrics: { "train/records": count, "train/length-kept": kept },
    curves: [],
  };
}

/** `segment` float32 [batch, from] times the axes [from, to] is `embedding` float32 [batch, to]. */
function projectionModel({ rows, columns, values }: DenseMatrix): Uint8Array {
  const valuesOf = (name: string, size: number) =>
    valueInfoOf(name, { dataType: onnxTypes.float32, dims: ["batch", size] });
  return encodeOnnx({
    irVersion: 9,
    producerName: "medley",
    opsetImport: [{ version: 18n }],
    graph: {
      name: "projection",
      node: [nodeOf("MatMul", ["segment", "axes"], "embedding")],
      initializer: [tensorOf("axes", [rows, columns], Float32Array.from(values))],
      input: [valuesOf("segment", rows)],
      output: [valuesOf("embedding", columns)],
    },
  });
}

function tooFew(count: number, least: number): MedleyError {
  return new MedleyError(
    "training_data_invalid",
    `${count} records have a segment that axes could be fitted to; ${least} are needed`,
    {
      mend: 'load more records before the training, reduce to fewer dimensions, or set reduced.by to "random"',
    },
  );
}
