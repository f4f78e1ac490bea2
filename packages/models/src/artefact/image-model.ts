import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { identityOf, MedleyError } from "@medley/core";
import {
  decodeOnnx,
  type OnnxDimension,
  type OnnxGraph,
  type OnnxModel,
  onnxTypes,
  outputCandidates,
  tensorTypeOf,
} from "../onnx/index.ts";
import { ModelFiles } from "./files.ts";
import { type ImageOutput, imageOutputOf } from "./image-output.ts";
import { type ImageProcessor, imageProcessorOf, processedSize, type Size } from "./image-processor.ts";
import { type Environment, type LocateOptions, locateModel } from "./locate.ts";
import { type PinnedModel, pinModel } from "./onnx-file.ts";

/** Pixels of a batch row: channel by channel, or pixel by pixel. */
export type ImageLayout = "NCHW" | "NHWC";

/** All that decides a picture's vector, read from the model's own files. Plain data: it travels to threads. */
export interface ImageModel {
  readonly kind: "image";
  readonly name: string;
  readonly dimensions: number;
  readonly model: PinnedModel;
  readonly input: { readonly name: string; readonly layout: ImageLayout } & Size;
  readonly output: ImageOutput;
  readonly processor: ImageProcessor;
  /** Hex sha256 of all of the above but name and path. */
  readonly identity: string;
}

/** Raised when the same files would give other vectors. */
const algorithm = "image-onnx-1";

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a picture model in Hugging Face's layout: `config.json`, `preprocessor_config.json` and an ONNX file. `output`
 * names the tensor that is the embedding, where the model's family does not decide it. Throws `model_not_found`,
 * `model_damaged`, or `model_unsupported` where the files ask for what this runtime doesn't do: nothing is guessed or
 * ignored.
 */
export async function readImageModel(
  name: string,
  environment: Environment,
  options: { output?: string | undefined } & Pick<LocateOptions, "lock"> = {},
): Promise<ImageModel> {
  const located = await locateModel(name, environment, { lock: options.lock, kind: "image" });
  const files = await ModelFiles.open(located);
  const config = await needed(files, "config.json");
  const settings = await needed(files, "preprocessor_config.json");
  const pinned = await pinModel(files, located.modelFile);
  const { path } = pinned;
  const bytes = await readFile(path);
  const model = decoded(bytes, path);
  const processor = imageProcessorOf(
    settings,
    String(config.model_type),
    join(files.directory, "preprocessor_config.json"),
  );
  const input = inputOf(model.graph, processor, path);
  const candidates = () => outputCandidates(bytes);
  const output = imageOutputOf({ model, config, output: options.output, candidates, path });
  const identity = identityOf({ algorithm, model: pinned.contents, input, output, processor });
  return {
    kind: "image",
    name,
    dimensions: output.dimensions,
    model: pinned,
    input,
    output,
    processor,
    identity,
  };
}

async function needed(files: ModelFiles, name: string): Promise<Json> {
  const json = await files.json(name);
  if (json !== undefined) return json;
  throw new MedleyError("model_not_found", `the model has no ${join(files.directory, name)}`, {
    mend: "fetch the model again, with all its files",
  });
}

function decoded(bytes: Uint8Array, path: string): OnnxModel {
  try {
    return decodeOnnx(bytes);
  } catch (cause) {
    throw new MedleyError("model_unsupported", `${path} is no ONNX model`, {
      mend: "use an ONNX export of the model",
      cause,
    });
  }
}

function inputOf(graph: OnnxGraph, processor: ImageProcessor, path: string): ImageModel["input"] {
  const unsupported = (what: string, mend: string) =>
    new MedleyError("model_unsupported", `${path}: ${what}`, { mend });
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const pictures = graph.input.filter(({ name, type }) => {
    return !weights.has(name) && tensorTypeOf({ name, ...(type && { type }) })?.dims?.length === 4;
  });
  const [picture] = pictures;
  const type = tensorTypeOf(picture);
  if (pictures.length !== 1 || picture === undefined || type?.dataType !== onnxTypes.float32) {
    const names = graph.input.map(({ name }) => name).join(", ");
    throw unsupported(
      `its inputs (${names}) are not one float32 picture of rank 4`,
      "use the picture side of the model, exported with one input pixel_values",
    );
  }
  const dims = type.dims as readonly OnnxDimension[];
  const layout = layoutOf(graph, picture.name, dims);
  if (layout === null) {
    throw unsupported(
      `the input "${picture.name}" is [${dims.map((dim) => dim ?? "?")}], where no dimension is the 3 channels`,
      "use an export whose input says its channels",
    );
  }
  const size = sizeOf(processor, path);
  const [height, width] = layout === "NCHW" ? [dims[2], dims[3]] : [dims[1], dims[2]];
  if (
    [[height, size.height] as const, [width, size.width] as const].some(
      ([a, b]) => typeof a === "number" && a !== b,
    )
  ) {
    throw unsupported(
      `the input "${picture.name}" is ${height} by ${width}, its preprocessor_config.json makes ${size.height} by ${size.width}`,
      "use the preprocessor_config.json that belongs to the model",
    );
  }
  return { name: picture.name, layout, height: size.height, width: size.width };
}

/** By the dimension that is 3; where none is said, by what reads the input: a convolution wants channels first. */
function layoutOf(graph: OnnxGraph, input: string, dims: readonly OnnxDimension[]): ImageLayout | null {
  if (dims[1] === 3) return "NCHW";
  if (dims[3] === 3) return "NHWC";
  if (typeof dims[1] === "number" || typeof dims[3] === "number") return null;
  const readers = graph.node.filter((node) => node.input.includes(input));
  if (readers.some(({ opType }) => opType === "Conv")) return "NCHW";
  const order = readers
    .find(({ opType }) => opType === "Transpose")
    ?.attribute.find(({ name }) => name === "perm")
    ?.ints?.join();
  if (order === "0,3,1,2") return "NHWC";
  return typeof dims[1] === "string" && /channel/i.test(dims[1]) ? "NCHW" : null;
}

function sizeOf(processor: ImageProcessor, path: string): Size {
  try {
    return processedSize(processor);
  } catch (error) {
    throw new MedleyError("model_unsupported", `${path}: ${(error as RangeError).message}`, {
      mend: "use a preprocessor_config.json that crops, or resizes to height and width",
    });
  }
}
