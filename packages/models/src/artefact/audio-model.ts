import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { identityOf, MedleyError } from "@medley/core";
import { sampleRateMax, sampleRateMin } from "../audio/decode/block.ts";
import { graphPorts } from "../onnx/ports.ts";
import { ModelFiles } from "./files.ts";
import { type Environment, type LocateOptions, locateModel } from "./locate.ts";
import { type PinnedModel, pinModel } from "./onnx-file.ts";

/** All that decides a clip's vector, read from the model's own files. Plain data: it travels to threads. */
export interface AudioModel {
  readonly kind: "audio";
  readonly name: string;
  readonly dimensions: number;
  readonly model: PinnedModel;
  /** Samples a second that the model is trained on: clips are resampled to it. */
  readonly sampleRate: number;
  /** What is longer is cut. */
  readonly secondsMax: number;
  /** Whether a clip's samples are brought to mean 0 and variance 1. */
  readonly normalises: boolean;
  /** What fills a row up to the batch's longest. */
  readonly paddingValue: number;
  /**
   * Which clips may run together. A model that normalises over time, or takes no mask, gives a padded clip another vector:
   * then only rows of equal length share a batch.
   */
  readonly sharesBatches: "equal length" | "padded";
  /** The convolutions that make frames from samples, in order: they say how many frames a clip has. */
  readonly convolutions: readonly Convolution[];
  readonly samplesInput: string;
  readonly takesMask: boolean;
  /** `frames`: [batch, frames, dimensions], averaged over a clip's true frames. `clip`: [batch, dimensions]. */
  readonly output: { readonly name: string; readonly of: "frames" | "clip" };
  /** Hex sha256 of all of the above but name and path. */
  readonly identity: string;
}

export interface Convolution {
  readonly kernel: number;
  readonly stride: number;
}

export interface AudioModelOptions extends Pick<LocateOptions, "lock"> {
  /** Default: the hidden states. */
  readonly output?: string | undefined;
  /** Default 30, at most `audioSecondsMax`. */
  readonly secondsMax?: number | undefined;
}

export const audioSecondsDefault = 30;
/** Attention takes memory with the square of a clip's length. */
export const audioSecondsMax = 600;

/** Raised when the same files would give other vectors. */
const algorithm = "audio-onnx-1";

/** Families that take samples and make frames by the convolutions of their config; `ge2e` is the bundled one. */
const modelTypes = [
  "wav2vec2",
  "wav2vec2-conformer",
  "hubert",
  "wavlm",
  "unispeech",
  "unispeech-sat",
  "ge2e",
];
const sampleInputs = ["input_values", "waveform"];
const hiddenStates = "last_hidden_state";
const maskInput = "attention_mask";

/** Entries of preprocessor_config.json that are read here, or say nothing about samples. */
const preprocessorKeys = [
  "do_normalize",
  "feature_extractor_type",
  "feature_size",
  "padding_side",
  "padding_value",
  "processor_class",
  "return_attention_mask",
  "sampling_rate",
];

type Json = Readonly<Record<string, unknown>>;

/** A JSON file of the model, with its path for messages. */
interface Settings {
  readonly path: string;
  readonly json: Json;
}

/**
 * Reads a model that takes samples, in Hugging Face's layout: `preprocessor_config.json` (a Wav2Vec2FeatureExtractor),
 * `config.json` (wav2vec2, hubert, wavlm and their like) and the graph's own inputs and outputs. Throws `model_not_found`,
 * `model_damaged`, or `model_unsupported` where the files ask for what this runtime doesn't do: nothing is guessed or ignored.
 */
export async function readAudioModel(
  name: string,
  environment: Environment,
  options: AudioModelOptions = {},
): Promise<AudioModel> {
  const secondsMax = options.secondsMax ?? audioSecondsDefault;
  assert(secondsMax > 0 && secondsMax <= audioSecondsMax, `secondsMax is ${secondsMax}`);
  const located = await locateModel(name, environment, { lock: options.lock, kind: "audio" });
  const files = await ModelFiles.open(located);
  const preprocessor = preprocessorOf(await settings(files, "preprocessor_config.json"));
  const config = await settings(files, "config.json");
  const model = await pinModel(files, located.modelFile);
  const ports = await portsOf(model, config, options.output);
  const { normalises, paddingValue, sampleRate } = preprocessor;
  const isPadded = normOf(config) === "layer" && preprocessor.usesMask && ports.takesMask;
  const decisive = {
    normalises,
    paddingValue,
    sampleRate,
    secondsMax,
    sharesBatches: isPadded ? ("padded" as const) : ("equal length" as const),
    convolutions: convolutionsOf(config),
    ...ports,
  };
  const identity = identityOf({ algorithm, ...decisive, model: model.contents });
  return { kind: "audio", name, ...decisive, model, identity };
}

/** Frames that `samples` make: floor((length - kernel) / stride) + 1 per convolution; 0 where they are too few. */
export function framesOf(convolutions: readonly Convolution[], samples: number): number {
  return convolutions.reduce(
    (length, { kernel, stride }) => (length < kernel ? 0 : Math.floor((length - kernel) / stride) + 1),
    samples,
  );
}

/** The fewest samples that make a frame. */
export function samplesMinOf(convolutions: readonly Convolution[]): number {
  return convolutions.reduceRight((length, { kernel, stride }) => (length - 1) * stride + kernel, 1);
}

function unsupported(path: string, what: string, mend: string): MedleyError {
  return new MedleyError("model_unsupported", `${path}: ${what}`, { mend });
}

async function settings(files: ModelFiles, name: string): Promise<Settings> {
  const path = join(files.directory, name);
  const json = await files.json(name);
  if (json !== undefined) return { path, json };
  throw new MedleyError("model_not_found", `the model has no ${path}`, {
    mend: "fetch the model again, with all its files; it must be one that takes samples, such as Wav2Vec2",
  });
}

function preprocessorOf({ path, json }: Settings): {
  sampleRate: number;
  normalises: boolean;
  paddingValue: number;
  usesMask: boolean;
} {
  const mend = "use a model whose feature extractor takes samples, such as wav2vec2, hubert or wavlm";
  const unknown = Object.keys(json).find((key) => !preprocessorKeys.includes(key));
  if (unknown !== undefined) throw unsupported(path, `"${unknown}" is not known here`, mend);
  // Defaults are those of transformers' Wav2Vec2FeatureExtractor.
  const {
    do_normalize = true,
    padding_value = 0,
    return_attention_mask = false,
    sampling_rate = 16_000,
  } = json;
  const checks: readonly (readonly [string, boolean])[] = [
    ["feature_extractor_type", json.feature_extractor_type === "Wav2Vec2FeatureExtractor"],
    ["feature_size", (json.feature_size ?? 1) === 1],
    ["padding_side", (json.padding_side ?? "right") === "right"],
    ["do_normalize", typeof do_normalize === "boolean"],
    ["padding_value", typeof padding_value === "number"],
    ["return_attention_mask", typeof return_attention_mask === "boolean"],
    [
      "sampling_rate",
      Number.isSafeInteger(sampling_rate) &&
        (sampling_rate as number) >= sampleRateMin &&
        (sampling_rate as number) <= sampleRateMax,
    ],
  ];
  const wrong = checks.find(([, isRight]) => !isRight)?.[0];
  if (wrong !== undefined) throw unsupported(path, `"${wrong}" is ${JSON.stringify(json[wrong])}`, mend);
  return {
    sampleRate: sampling_rate as number,
    normalises: do_normalize as boolean,
    paddingValue: padding_value as number,
    usesMask: return_attention_mask as boolean,
  };
}

function normOf({ path, json }: Settings): "group" | "layer" {
  const type = json.model_type;
  if (!modelTypes.includes(String(type))) {
    throw unsupported(
      path,
      `"model_type" is ${JSON.stringify(type)}`,
      `use a model of ${modelTypes.join(", ")}`,
    );
  }
  const norm = json.feat_extract_norm;
  if (norm === "group" || norm === "layer") return norm;
  throw unsupported(
    path,
    `"feat_extract_norm" is ${JSON.stringify(norm)}`,
    'use a model with "group" or "layer"',
  );
}

function convolutionsOf({ path, json }: Settings): Convolution[] {
  const [kernels, strides] = [json.conv_kernel, json.conv_stride];
  const areCounts = (list: unknown): list is number[] =>
    Array.isArray(list) && list.length > 0 && list.every((value) => Number.isSafeInteger(value) && value > 0);
  if (areCounts(kernels) && areCounts(strides) && kernels.length === strides.length) {
    return kernels.map((kernel, layer) => ({ kernel, stride: strides[layer] as number }));
  }
  throw unsupported(
    path,
    `"conv_kernel" and "conv_stride" are ${JSON.stringify(kernels)} and ${JSON.stringify(strides)}`,
    "use the config.json that belongs to the model",
  );
}

/** What of the graph's inputs and outputs is used. */
async function portsOf(
  model: PinnedModel,
  config: Settings,
  chosen: string | undefined,
): Promise<Pick<AudioModel, "samplesInput" | "takesMask" | "output" | "dimensions">> {
  const { inputs, outputs } = await readPorts(model.path);
  const samplesInput = inputs.find(({ name }) => sampleInputs.includes(name))?.name;
  const unknown = inputs.find(({ name }) => name !== samplesInput && name !== maskInput);
  if (samplesInput === undefined || unknown !== undefined) {
    throw unsupported(
      model.path,
      `its inputs are ${inputs.map(({ name }) => name).join(", ")}`,
      `use an export with the input ${sampleInputs.join(" or ")}, and at most ${maskInput} beside it`,
    );
  }
  const takesMask = inputs.some(({ name }) => name === maskInput);
  const name = chosen ?? hiddenStates;
  const output = outputs.find((port) => port.name === name);
  if (output === undefined) {
    throw unsupported(
      model.path,
      `it has no output "${name}"`,
      `name one of its outputs: ${outputs.map((port) => port.name).join(", ")}`,
    );
  }
  const rank = output.dims?.length ?? (name === hiddenStates ? 3 : undefined);
  const last = output.dims?.at(-1);
  const size = name === hiddenStates && typeof last !== "number" ? config.json.hidden_size : last;
  if ((rank !== 2 && rank !== 3) || !Number.isSafeInteger(size) || (size as number) < 1) {
    throw unsupported(
      model.path,
      `its output "${name}" is [${output.dims?.map((dim) => dim ?? "?").join(", ") ?? "unknown"}], not [batch, size] or [batch, frames, size]`,
      "name another output, or use an export that declares its size",
    );
  }
  if (rank === 3 && config.json.add_adapter === true) {
    throw unsupported(
      config.path,
      "an adapter changes the number of frames",
      "use a model without an adapter",
    );
  }
  return {
    samplesInput,
    takesMask,
    output: { name, of: rank === 3 ? "frames" : "clip" },
    dimensions: size as number,
  };
}

async function readPorts(path: string): Promise<ReturnType<typeof graphPorts>> {
  const bytes = await readFile(path);
  try {
    return graphPorts(bytes);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new MedleyError("model_unsupported", `${path}: ${cause.message}`, {
      mend: "use an ONNX export of the model",
      cause,
    });
  }
}
