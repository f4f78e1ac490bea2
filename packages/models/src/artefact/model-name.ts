import { isAbsolute } from "node:path";

/** What a model reads; `locateModel` looks for other files for each. */
export type ModelKind = "text" | "image" | "audio";

/** `org/name#fp16`: a model's own name, and which of its files to take. */
export interface ModelName {
  readonly base: string;
  /** `undefined`: float32. */
  readonly dtype: string | undefined;
}

/**
 * What follows the last `#` names the ONNX file: `#fp16` is `model_fp16.onnx`, `#fp32` (or nothing) `model.onnx`. The sign is
 * that of a part of a resource (RFC 3986), and can be in no hub id; `@` would read as a revision, which the lock says.
 */
export function parseModelName(name: string): ModelName {
  const match = /^(.*)#(\w+)$/s.exec(name);
  const [, base, suffix] = match ?? [];
  if (base === undefined || suffix === undefined) return { base: name, dtype: undefined };
  return { base, dtype: suffix === "fp32" ? undefined : suffix };
}

export function isModelPath(base: string): boolean {
  return isAbsolute(base) || base.startsWith("./") || base.startsWith("../") || base === "." || base === "..";
}

/** `org/name`, or an old `name`. Two dashes or dots are in no id: they would collide in the cache's folder names. */
export function isHubId(base: string): boolean {
  return /^[\w.-]+(\/[\w.-]+)?$/.test(base) && !/--|\.\.|^\.|\/\./.test(base) && base.length <= 96;
}

/** CLIP and its kin hold a picture and a text side; exports name the first `vision_model`. */
const stems: Readonly<Record<ModelKind, readonly string[]>> = {
  text: ["model"],
  audio: ["model"],
  image: ["vision_model", "model"],
};

/** Where Hugging Face's tools leave the ONNX file of a model, the usual place first. */
export function modelFilesOf(dtype: string | undefined, kind: ModelKind | undefined): readonly string[] {
  const suffix = dtype === undefined ? "" : `_${dtype}`;
  const names = kind === undefined ? ["model", "vision_model"] : stems[kind];
  return names.flatMap((stem) => [`onnx/${stem}${suffix}.onnx`, `${stem}${suffix}.onnx`]);
}
