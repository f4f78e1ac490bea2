import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import { type InferenceSession, Tensor } from "onnxruntime-node";
import { readPinned } from "../artefact/files.ts";
import { loadModelBytes } from "../artefact/onnx-file.ts";
import { NativeSession } from "../onnx/native-session.ts";
import { loading } from "../runtime/loading.ts";
import type { Rows } from "../runtime/rows.ts";
import type { Prepared, Role, RunAnswer, Session } from "../runtime/session.ts";
import { type Features, featuresOf } from "./features.ts";
import type { TrainedModelDescription } from "./trained-model.ts";

/** A trained model loaded into this thread; a row is a value's features. */
export class TrainedSession implements Session<unknown> {
  readonly #model: TrainedModelDescription;
  readonly #features: Features<unknown>;
  readonly #session: NativeSession;

  private constructor(model: TrainedModelDescription, features: Features<unknown>, session: NativeSession) {
    this.#model = model;
    this.#features = features;
    this.#session = session;
  }

  /** Throws `model_damaged` where a file changed since it was pinned, `model_unsupported` where it can't be run. */
  static async open(
    model: TrainedModelDescription,
    options: InferenceSession.SessionOptions,
  ): Promise<TrainedSession> {
    const files = Object.entries(model.vocabulary).map(([path, file]) => [path, readPinned(file)] as const);
    const features = featuresOf(model.manifest, new Map(files)) as Features<unknown> | undefined;
    if (features === undefined) {
      throw new MedleyError(
        "model_unsupported",
        `space ${model.name}: models of kind ${model.manifest.kind} are not served yet`,
        {
          mend: "take the space out of the configuration, or update Medley",
        },
      );
    }
    const { bytes, externalData } = loadModelBytes(model.model);
    return loading(model.model.path, async () => {
      const session = await NativeSession.create(bytes, { ...options, externalData });
      const opened = new TrainedSession(model, features, session);
      await opened.#probe();
      return opened;
    });
  }

  async prepare(inputs: readonly unknown[], role: Role): Promise<Prepared> {
    const rows: Float32Array[] = [];
    const failures: Prepared["failures"][number][] = [];
    for (const [index, input] of inputs.entries()) {
      const row = role === "query" ? this.#features.queryRow(input) : this.#features.row(input);
      rows.push(row.ok ? this.#checked(row.value) : new Float32Array(0));
      if (!row.ok) failures.push({ index, ...row.failure });
    }
    const lengths = Int32Array.from(rows, (row) => row.length);
    const values = new Float32Array(lengths.reduce((sum, length) => sum + length, 0));
    let offset = 0;
    for (const row of rows) {
      values.set(row, offset);
      offset += row.length;
    }
    return { values, lengths, failures };
  }

  async run(rows: Rows): Promise<RunAnswer> {
    const values = rows.values as Float32Array;
    const batch = rows.lengths.length;
    const { form, inputs, dimensions } = this.#model;
    const { feeds, paddedValues } =
      form === "bag" ? bagFeeds(values, rows.lengths) : tensorFeeds(values, batch, inputs);
    const { embedding } = await this.#session.run(feeds, ["embedding"]);
    const vectors = embedding?.data as Float32Array;
    assert.equal(vectors.length, batch * dimensions);
    return { ...unitOrZero(vectors, dimensions), paddedValues, usefulValues: values.length };
  }

  /** The features function is ours, so a row of another form is a bug: a model is given whatever it is not checked for. */
  #checked(row: Float32Array): Float32Array {
    const { form, inputs, manifest } = this.#model;
    if (row.length === 0) return row;
    if (form === "tensors") {
      assert.equal(row.length, valuesOf(inputs), `a row of ${manifest.kind}`);
      return row;
    }
    assert.equal(row.length % 2, 0, "a bag is pairs of id and weight");
    for (let at = 0; at < row.length; at += 2) {
      const id = row[at] as number;
      assert(Number.isInteger(id) && id >= 0 && id < idsMax, "an id of a bag is a row of the table");
    }
    return row;
  }

  /** Runs a row of zeros, so that a model whose output is not as its manifest says is refused before it is used. */
  async #probe(): Promise<void> {
    const { form, inputs, dimensions, model } = this.#model;
    const row = new Float32Array(form === "bag" ? 2 : valuesOf(inputs));
    const { feeds } = form === "bag" ? bagFeeds(row, Int32Array.of(row.length)) : tensorFeeds(row, 1, inputs);
    const { embedding } = await this.#session.run(feeds, ["embedding"]);
    const got = `${embedding?.type}[${embedding?.dims}]`;
    if (got === `float32[1,${dimensions}]`) return;
    throw new MedleyError(
      "model_unsupported",
      `${model.path}: embedding is ${got}, not float32[1,${dimensions}]`,
      {
        mend: "train the space again",
      },
    );
  }
}

/** Whole numbers that single precision keeps apart. */
const idsMax = 2 ** 24;

export function valuesOf(inputs: TrainedModelDescription["inputs"]): number {
  return inputs.reduce((sum, { dims }) => sum + dims.reduce((product, dim) => product * dim, 1), 0);
}

/** Pairs to ids and weights, padded to the longest with weight 0. */
function bagFeeds(
  values: Float32Array,
  lengths: Int32Array,
): { feeds: Record<string, Tensor>; paddedValues: number } {
  const width = lengths.reduce((longest, length) => Math.max(longest, length), 0) / 2;
  const ids = new BigInt64Array(lengths.length * width);
  const weights = new Float32Array(ids.length);
  let from = 0;
  for (const [row, length] of lengths.entries()) {
    for (let pair = 0; pair < length / 2; pair++) {
      ids[row * width + pair] = BigInt(values[from + 2 * pair] as number);
      weights[row * width + pair] = values[from + 2 * pair + 1] as number;
    }
    from += length;
  }
  const dims = [lengths.length, width];
  const feeds = { ids: new Tensor("int64", ids, dims), weights: new Tensor("float32", weights, dims) };
  return { feeds, paddedValues: 2 * ids.length };
}

/** Rows hold the inputs end to end, a batch has each input's rows together. */
function tensorFeeds(
  values: Float32Array,
  batch: number,
  inputs: TrainedModelDescription["inputs"],
): { feeds: Record<string, Tensor>; paddedValues: number } {
  const rowValues = valuesOf(inputs);
  const feeds: Record<string, Tensor> = {};
  let offset = 0;
  for (const { name, dims } of inputs) {
    const size = dims.reduce((product, dim) => product * dim, 1);
    const data = new Float32Array(batch * size);
    for (let row = 0; row < batch; row++) {
      const start = row * rowValues + offset;
      data.set(values.subarray(start, start + size), row * size);
    }
    feeds[name] = new Tensor("float32", data, [batch, ...dims]);
    offset += size;
  }
  return { feeds, paddedValues: values.length };
}

/** As `unitVectors`, but an embedding of zeros is one that says nothing. */
function unitOrZero(
  embeddings: Float32Array,
  dimensions: number,
): { vectors: Float32Array; failed: number[] } {
  const vectors = new Float32Array(embeddings.length);
  const failed: number[] = [];
  for (let from = 0; from < embeddings.length; from += dimensions) {
    let squared = 0;
    for (let d = from; d < from + dimensions; d++) squared += (embeddings[d] as number) ** 2;
    if (!Number.isFinite(squared)) failed.push(from / dimensions);
    const scale = squared > 0 && Number.isFinite(squared) ? 1 / Math.sqrt(squared) : 0;
    for (let d = from; d < from + dimensions; d++)
      vectors[d] = scale === 0 ? 0 : (embeddings[d] as number) * scale;
  }
  return { vectors, failed };
}
