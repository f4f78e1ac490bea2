import { MedleyError } from "@medley/core";
import type { Kernel } from "../image/resample.ts";

/** What is done to a decoded RGB picture before a model sees it, in this order. Plain data: it travels to threads. */
export interface ImageProcessor {
  readonly resize: { readonly to: Resized; readonly kernel: Kernel } | null;
  /** Cut from the middle; what lies outside of the picture is 0. */
  readonly crop: Size | null;
  /** RGB to BGR. */
  readonly flipChannels: boolean;
  /** A level of 0 to 255 becomes (level x scale - mean) / deviation, by channel, in the order that the model sees. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}
export interface Size {
  readonly height: number;
  readonly width: number;
}
/** To this size whatever the picture's shape, or so that its shorter edge has these pixels and its shape stays. */
export type Resized = Size | { readonly shortestEdge: number };

type Json = Readonly<Record<string, unknown>>;

const half = [0.5, 0.5, 0.5];
const clipMean = [0.48145466, 0.4578275, 0.40821073];
const clipDeviation = [0.26862954, 0.26130258, 0.27577711];
const vit = {
  ...{ do_resize: true, size: { height: 224, width: 224 }, resample: 2, default_to_square: true },
  ...{ do_center_crop: false, crop_size: { height: 224, width: 224 }, do_flip_channel_order: false },
  ...{ do_rescale: true, rescale_factor: 1 / 255, do_normalize: true, image_mean: half, image_std: half },
};
const clip = {
  ...{ ...vit, size: { shortest_edge: 224 }, resample: 3, default_to_square: false, do_center_crop: true },
  ...{ image_mean: clipMean, image_std: clipDeviation },
};
const mobileNet = { ...vit, size: { shortest_edge: 256 }, default_to_square: false, do_center_crop: true };
/** Processors of transformers (5.23) that work as `ImageProcessor` says, and what they do where their file is silent. */
const processors: Readonly<Record<string, Json>> = {
  ViT: vit,
  DeiT: { ...vit, size: { height: 256, width: 256 }, resample: 3, do_center_crop: true },
  Beit: { ...vit, resample: 3 },
  CLIP: clip,
  Bit: clip,
  Siglip: { ...vit, resample: 3, default_to_square: false },
  ConvNext: {
    ...vit,
    size: { shortest_edge: 384 },
    resample: 3,
    default_to_square: false,
    crop_pct: 224 / 256,
  },
  MobileNetV1: mobileNet,
  MobileNetV2: mobileNet,
  MobileViT: {
    ...{ ...mobileNet, size: { shortest_edge: 224 }, crop_size: { height: 256, width: 256 }, resample: 3 },
    ...{ do_normalize: false, do_flip_channel_order: true },
  },
};
/** The processor of a model whose `preprocessor_config.json` does not name it, by `model_type`. */
const usualProcessors: Readonly<Record<string, string>> = {
  ...{ vit: "ViT", deit: "DeiT", beit: "Beit", dinov2: "Bit", bit: "Bit" },
  ...{ clip: "CLIP", clip_vision_model: "CLIP", siglip: "Siglip", siglip_vision_model: "Siglip" },
  ...{ resnet: "ConvNext", regnet: "ConvNext", convnext: "ConvNext", convnextv2: "ConvNext" },
  ...{
    mobilenet_v1: "MobileNetV1",
    mobilenet_v2: "MobileNetV2",
    mobilevit: "MobileViT",
    mobilevitv2: "MobileViT",
  },
};
/** Say nothing about pixels. Pictures are RGB here whatever `do_convert_rgb` says. */
const neutral = [
  ...["image_processor_type", "feature_extractor_type", "processor_class", "auto_map", "do_convert_rgb"],
  ...["_valid_processor_keys", "data_format", "input_data_format", "return_tensors", "device"],
  ...["disable_grouping", "do_reduce_labels", "model_input_names", "num_channels", "image_seq_length"],
];
const kernelsByCode: readonly Kernel[] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];
/** The largest picture that a model may ask for: 48 MB of floats. */
const edgePixelsMax = 2_048;

/**
 * Reads `preprocessor_config.json` as transformers would. Throws `model_unsupported` for whatever would change pixels
 * and is not done here. `path` is for messages.
 */
export function imageProcessorOf(json: Json, modelType: string, path: string): ImageProcessor {
  const unsupported = (what: string, mend: string) =>
    new MedleyError("model_unsupported", `${path}: ${what}`, { mend });
  const named = json.image_processor_type ?? json.feature_extractor_type;
  const type =
    named === undefined
      ? usualProcessors[modelType]
      : String(named).replace(/(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/, "");
  const usual = processors[type ?? ""];
  if (usual === undefined) {
    throw unsupported(
      `the processor of "${named ?? modelType}" is not known here`,
      `use a model of one of these processors: ${Object.keys(processors).join(", ")}`,
    );
  }
  const known = [...Object.keys(usual), ...neutral];
  const unknown = Object.entries(json).find(
    ([key, value]) => !known.includes(key) && value !== null && value !== false,
  );
  if (unknown !== undefined) {
    throw unsupported(
      `"${unknown[0]}" is not known here for a ${type} processor`,
      "use a model whose preprocessing is resize, centre crop, rescale and normalise",
    );
  }
  const given = {
    ...usual,
    ...Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null)),
  };
  try {
    return processorOf(given);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw unsupported(error.message, "use the preprocessor_config.json that belongs to the model");
  }
}

/** Throws `RangeError`. */
function processorOf(json: Json): ImageProcessor {
  const kernel = kernelsByCode[json.resample as number];
  if (kernel === undefined) throw new RangeError(`"resample" is ${JSON.stringify(json.resample)}`);
  const flags = Object.entries(json).filter(([key]) => key.startsWith("do_"));
  for (const [key, value] of flags) {
    if (typeof value !== "boolean") throw new RangeError(`"${key}" is ${JSON.stringify(value)}`);
  }
  const resized = json.do_resize === true ? resizedOf(json) : null;
  const crop = json.do_center_crop === true ? sizeOf(json.crop_size, "crop_size") : null;
  const mean = json.do_normalize === true ? threeOf(json.image_mean, "image_mean") : [0, 0, 0];
  const deviation = json.do_normalize === true ? threeOf(json.image_std, "image_std") : [1, 1, 1];
  const scale = json.do_rescale === true ? json.rescale_factor : 1;
  if (typeof scale !== "number" || !(scale > 0)) throw new RangeError(`"rescale_factor" is ${scale}`);
  if (deviation.includes(0)) throw new RangeError('"image_std" has a 0');
  return {
    resize: resized === null ? null : { to: resized.to, kernel },
    crop: crop ?? resized?.crop ?? null,
    flipChannels: json.do_flip_channel_order === true,
    scale,
    mean,
    deviation,
  };
}

/** The size that every processed picture has. Throws `RangeError` where they differ: a batch needs one. */
export function processedSize({ resize, crop }: ImageProcessor): Size {
  if (crop !== null) return crop;
  if (resize !== null && "height" in resize.to) return resize.to;
  throw new RangeError("pictures keep their shapes: they neither get one size nor are they cropped to one");
}

function resizedOf(json: Json): { to: Resized; crop: Size | null } {
  const { size, crop_pct: share } = json;
  const square = typeof size === "number" && json.default_to_square === true;
  const edge = typeof size === "number" ? size : (size as { shortest_edge?: unknown }).shortest_edge;
  if (square || edge === undefined) return { to: sizeOf(size, "size"), crop: null };
  const keys = typeof size === "number" ? ["shortest_edge"] : Object.keys(size as object);
  if (keys.length !== 1) throw new RangeError(`"size" is ${JSON.stringify(size)}`);
  const shortestEdge = pixelsOf(edge, "size");
  if (share === undefined) return { to: { shortestEdge }, crop: null };
  // ConvNext: small pictures are cut from larger ones, from 384 pixels on they are squeezed to a square.
  const whole = { height: shortestEdge, width: shortestEdge };
  if (shortestEdge >= 384) return { to: whole, crop: null };
  if (typeof share !== "number" || !(share > 0 && share <= 1)) throw new RangeError(`"crop_pct" is ${share}`);
  return { to: { shortestEdge: Math.trunc(shortestEdge / share) }, crop: whole };
}

function sizeOf(value: unknown, key: string): Size {
  if (typeof value === "number") return { height: pixelsOf(value, key), width: pixelsOf(value, key) };
  const { height, width, ...others } = (value ?? {}) as Json;
  if (Object.keys(others).length > 0) throw new RangeError(`"${key}" is ${JSON.stringify(value)}`);
  return { height: pixelsOf(height, key), width: pixelsOf(width, key) };
}

function pixelsOf(value: unknown, key: string): number {
  if (Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= edgePixelsMax)
    return value as number;
  throw new RangeError(`"${key}" has ${JSON.stringify(value)}, not 1 to ${edgePixelsMax} pixels`);
}

function threeOf(value: unknown, key: string): readonly number[] {
  const list = typeof value === "number" ? [value, value, value] : value;
  if (Array.isArray(list) && list.length === 3 && list.every(Number.isFinite)) return list;
  throw new RangeError(`"${key}" is ${JSON.stringify(value)}, not one number for each of three channels`);
}
