import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import { type InferenceSession, Tensor } from "onnxruntime-node";
import sharp from "sharp";
import type { ImageModel } from "../artefact/image-model.ts";
import { loadModelBytes } from "../artefact/onnx-file.ts";
import { cutGraph, onnxTypes } from "../onnx/index.ts";
import { NativeSession } from "../onnx/native-session.ts";
import { loading } from "../runtime/loading.ts";
import { pool, unitVectors } from "../runtime/pooling.ts";
import type { Rows } from "../runtime/rows.ts";
import type { Prepared, Role, RunAnswer, Session } from "../runtime/session.ts";
import { processedPixels, rowValuesOf, writeRow } from "./image-row.ts";

/** A picture model loaded into this thread; a row is a picture's pixels as the model reads them. */
export class ImageSession implements Session<Uint8Array> {
  readonly #model: ImageModel;
  readonly #session: NativeSession;
  /** The output's dimensions after the batch: [d], [tokens, d], [d, height, width] or [height, width, d]. */
  #outputDims: readonly number[] = [];
  #output = new Float32Array(0);

  private constructor(model: ImageModel, session: NativeSession) {
    this.#model = model;
    this.#session = session;
  }

  /** Throws `model_damaged` where a file changed since it was pinned, `model_unsupported` where it can't be run. */
  static async open(model: ImageModel, options: InferenceSession.SessionOptions): Promise<ImageSession> {
    // Decoded pictures are not kept, and one is decoded with one thread: both hold for the whole process.
    sharp.cache(false);
    sharp.concurrency(1);
    const { bytes, externalData } = loadModelBytes(model.model);
    const dims = [null, model.dimensions];
    return loading(model.model.path, async () => {
      // So that nothing after the embedding runs, such as a classifier.
      const cut = cutGraph(bytes, model.output.name, { dataType: onnxTypes.float32, dims });
      const session = new ImageSession(model, await NativeSession.create(cut, { ...options, externalData }));
      await session.#probe();
      return session;
    });
  }

  /** One after the other: a thread of this session's costs one core, and holds one picture's pixels at a time. */
  async prepare(pictures: readonly Uint8Array[], _role: Role): Promise<Prepared> {
    const rowValues = rowValuesOf(this.#model);
    const values = new Float32Array(pictures.length * rowValues);
    const lengths = new Int32Array(pictures.length);
    const failures: Prepared["failures"][number][] = [];
    let used = 0;
    for (const [index, bytes] of pictures.entries()) {
      try {
        const pixels = await processedPixels(bytes, this.#model.processor);
        writeRow(pixels, this.#model, values.subarray(used, used + rowValues));
        lengths[index] = rowValues;
        used += rowValues;
      } catch (error) {
        if (!(error instanceof MedleyError)) throw error;
        const { message, mend } = error;
        failures.push({ index, message, ...(mend === undefined ? {} : { mend }) });
      }
    }
    return { values: values.subarray(0, used), lengths, failures };
  }

  async run({ values, lengths }: Rows): Promise<RunAnswer> {
    const pictures = lengths.length;
    assert(values instanceof Float32Array);
    assert.equal(values.length, pictures * rowValuesOf(this.#model));
    const floats = this.#outputDims.reduce((product, dim) => product * dim, pictures);
    if (this.#output.length < floats) this.#output = new Float32Array(floats);
    const output = this.#output.subarray(0, floats);
    const tensor = new Tensor("float32", output, [pictures, ...this.#outputDims]);
    await this.#session.run(
      { [this.#model.input.name]: this.#feed(values, pictures) },
      { [this.#model.output.name]: tensor },
    );
    const answer = this.#vectorsOf(output, pictures);
    return { ...answer, paddedValues: values.length, usefulValues: values.length };
  }

  #feed(values: Float32Array, pictures: number): Tensor {
    const { layout, height, width } = this.#model.input;
    const dims = layout === "NCHW" ? [pictures, 3, height, width] : [pictures, height, width, 3];
    return new Tensor("float32", values, dims);
  }

  #vectorsOf(output: Float32Array, pictures: number): { vectors: Float32Array; failed: number[] } {
    const { dimensions } = this.#model;
    const dims = this.#outputDims;
    const places = dims.reduce((product, dim) => product * dim, 1) / dimensions;
    const lengths = new Int32Array(pictures).fill(places);
    const hidden = { values: output, lengths, tokensPadded: places, hiddenSize: dimensions };
    if (dims.length < 3) return unitVectors(pool(hidden, ["cls"]), dimensions);
    if (dims[0] !== dimensions) return unitVectors(pool(hidden, ["mean"]), dimensions); // Channels last.
    const averages = new Float32Array(pictures * dimensions);
    for (let i = 0; i < averages.length; i++) {
      let sum = 0;
      for (let place = i * places; place < (i + 1) * places; place++) sum += output[place] as number;
      averages[i] = sum / places;
    }
    return unitVectors(averages, dimensions);
  }

  /** Runs one grey picture, so that a model whose output is not as its files say is refused before it is used. */
  async #probe(): Promise<void> {
    const { output, dimensions, model } = this.#model;
    const feeds = { [this.#model.input.name]: this.#feed(new Float32Array(rowValuesOf(this.#model)), 1) };
    const { type, dims } = (await this.#session.run(feeds, [output.name]))[output.name] as Tensor;
    const rest = dims.slice(1);
    const channels = rest.length === 3 ? [rest[0], rest[2]] : [rest.at(-1)];
    const fits = type === "float32" && dims[0] === 1 && rest.length <= 3 && channels.includes(dimensions);
    if (!fits) {
      throw new MedleyError(
        "model_unsupported",
        `${model.path}: "${output.name}" is ${type}[${dims}], not a float32 embedding of ${dimensions} dimensions`,
        { mend: "use the config.json that belongs to the model, and an export with float32 output" },
      );
    }
    this.#outputDims = rest;
  }
}
