import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import { type InferenceSession, Tensor } from "onnxruntime-node";
import { type AudioModel, framesOf, samplesMinOf } from "../artefact/audio-model.ts";
import { loadModelBytes } from "../artefact/onnx-file.ts";
import { NativeSession } from "../onnx/native-session.ts";
import { loading } from "../runtime/loading.ts";
import { pool, unitVectors } from "../runtime/pooling.ts";
import type { Rows } from "../runtime/rows.ts";
import type { Prepared, RunAnswer, Session } from "../runtime/session.ts";
import { ClipError } from "./decode/block.ts";
import { readClip } from "./read-clip.ts";

/** transformers' Wav2Vec2FeatureExtractor adds it to the variance. */
const varianceFloor = 1e-7;

/** An audio model loaded into this thread; a row is a clip's samples, as the model takes them. */
export class AudioSession implements Session<Uint8Array> {
  readonly #model: AudioModel;
  readonly #session: NativeSession;
  /** Outputs are written to the same memory each time: left to the garbage collector they pile up. */
  #room = new Float32Array(0);
  /** Whether the model makes the frames that its config says; if not, how many is known after a run. */
  #hasKnownFrames = false;

  private constructor(model: AudioModel, session: NativeSession) {
    this.#model = model;
    this.#session = session;
  }

  /** Throws `model_damaged` where a file changed since it was pinned, `model_unsupported` where it can't be run. */
  static async open(model: AudioModel, options: InferenceSession.SessionOptions): Promise<AudioSession> {
    const { bytes, externalData } = loadModelBytes(model.model);
    return loading(model.model.path, async () => {
      const session = new AudioSession(
        model,
        await NativeSession.create(bytes, { ...options, externalData }),
      );
      await session.#probe();
      return session;
    });
  }

  /** Decodes, mixes, resamples, cuts and normalises. Clips go one after the other: one is held decoded at a time. */
  async prepare(clips: readonly Uint8Array[]): Promise<Prepared> {
    const rows: Float32Array[] = [];
    const failures: Prepared["failures"][number][] = [];
    for (const [index, clip] of clips.entries()) {
      try {
        rows.push(await this.#row(clip));
      } catch (error) {
        if (!(error instanceof ClipError)) throw error;
        const { message, mend } = error;
        failures.push({ index, message, mend });
        rows.push(new Float32Array(0));
      }
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
    const { dimensions, output, convolutions } = this.#model;
    const { lengths, values } = rows;
    const samplesPadded = lengths.reduce((longest, length) => Math.max(longest, length), 0);
    if (this.#model.sharesBatches === "equal length") {
      assert(
        lengths.every((length) => length === samplesPadded),
        "this model's clips share a batch only if they are equally long",
      );
    }
    const states = await this.#states(rows, samplesPadded);
    const tokensPadded = output.of === "clip" ? 1 : (states.dims[1] as number);
    const frames = lengths.map((length) =>
      this.#model.sharesBatches === "padded" && output.of === "frames"
        ? framesOf(convolutions, length)
        : tokensPadded,
    );
    const hidden = {
      values: states.data as Float32Array,
      lengths: frames,
      tokensPadded,
      hiddenSize: dimensions,
    };
    return {
      ...unitVectors(pool(hidden, ["mean"]), dimensions),
      paddedValues: lengths.length * samplesPadded,
      usefulValues: values.length,
    };
  }

  async #row(clip: Uint8Array): Promise<Float32Array> {
    const { sampleRate, secondsMax, normalises, convolutions } = this.#model;
    const samples = await readClip(clip, { sampleRate, secondsMax });
    const samplesMin = samplesMinOf(convolutions);
    if (samples.length > 0 && samples.length < samplesMin) {
      throw new ClipError(
        `the clip is too short: ${samples.length} samples at ${sampleRate} a second; the model takes ${samplesMin} or more`,
        "leave so short a clip out",
      );
    }
    return normalises ? normalised(samples) : samples;
  }

  async #states(rows: Rows, samplesPadded: number): Promise<Tensor> {
    const { output, dimensions, convolutions } = this.#model;
    const feeds = feedsOf(rows, samplesPadded, this.#model);
    const clips = rows.lengths.length;
    if (output.of === "frames" && this.#hasKnownFrames) {
      const dims = [clips, framesOf(convolutions, samplesPadded), dimensions];
      const floats = dims.reduce((product, dim) => product * dim, 1);
      if (this.#room.length < floats) this.#room = new Float32Array(floats);
      const states = new Tensor("float32", this.#room.subarray(0, floats), dims);
      await this.#session.run(feeds, { [output.name]: states });
      return states;
    }
    return (await this.#session.run(feeds, [output.name]))[output.name] as Tensor;
  }

  /** Runs one second of noise, so that a model whose output is not as its files say is refused before it is used. */
  async #probe(): Promise<void> {
    const { sampleRate, convolutions, dimensions, output, model, sharesBatches } = this.#model;
    const samples = Math.max(sampleRate, samplesMinOf(convolutions));
    let state = 1;
    const values = Float32Array.from({ length: samples }, () => {
      state = (state * 48_271) % 0x7fffffff; // Park and Miller's generator: the same noise each time.
      return state / 0x7fffffff - 0.5;
    });
    const states = await this.#states({ values, lengths: Int32Array.of(samples) }, samples);
    const frames = framesOf(convolutions, samples);
    this.#hasKnownFrames = output.of === "frames" && states.dims[1] === frames;
    const isFitting =
      states.dims.length === (output.of === "frames" ? 3 : 2) && states.dims.at(-1) === dimensions;
    const needsFrames = output.of === "frames" && sharesBatches === "padded";
    if (states.type === "float32" && isFitting && (this.#hasKnownFrames || !needsFrames)) return;
    const expected =
      output.of === "frames" ? `[1,${needsFrames ? frames : "frames"},${dimensions}]` : `[1,${dimensions}]`;
    throw new MedleyError(
      "model_unsupported",
      `${model.path}: the output is ${states.type}[${states.dims}], not float32${expected}`,
      { mend: "use the config.json that belongs to the model, and an export with float32 output" },
    );
  }
}

/** Mean 0 and variance 1 over the clip: `zero_mean_unit_var_norm` of transformers. */
function normalised(samples: Float32Array): Float32Array {
  let sum = 0;
  for (const sample of samples) sum += sample;
  const mean = sum / samples.length;
  let squares = 0;
  for (const sample of samples) squares += (sample - mean) ** 2;
  const scale = 1 / Math.sqrt(squares / samples.length + varianceFloor);
  return samples.map((sample) => (sample - mean) * scale);
}

/** A batch as the model wants it: rows filled up to the longest. */
function feedsOf(rows: Rows, samplesPadded: number, model: AudioModel): Record<string, Tensor> {
  const { values, lengths } = rows;
  const dims = [lengths.length, samplesPadded];
  const padded = new Float32Array(lengths.length * samplesPadded).fill(model.paddingValue);
  let from = 0;
  lengths.forEach((length, row) => {
    padded.set(values.subarray(from, from + length), row * samplesPadded);
    from += length;
  });
  const feeds: Record<string, Tensor> = { [model.samplesInput]: new Tensor("float32", padded, dims) };
  if (model.takesMask) {
    const mask = new BigInt64Array(padded.length);
    lengths.forEach((length, row) => {
      mask.fill(1n, row * samplesPadded, row * samplesPadded + length);
    });
    feeds.attention_mask = new Tensor("int64", mask, dims);
  }
  return feeds;
}
