import { createHash } from "node:crypto";
import { join, posix } from "node:path";
import { MedleyError } from "@medley/core";
import { describeGraph, type GraphDescription } from "../onnx/index.ts";
import { type ModelFiles, type PinnedFile, readPinned } from "./files.ts";
import { escapes, isPlainPath } from "./plain-path.ts";

/** An ONNX file, and the files beside it that hold its weights where it has such. Plain data: it travels to threads. */
export interface PinnedModel extends PinnedFile {
  /** Hex sha256 of the file together with its external data: for identities. */
  readonly contents: string;
  readonly externalData: readonly { readonly location: string; readonly file: PinnedFile }[];
  readonly graph: GraphDescription;
}

/** What `InferenceSession.create(bytes, { ...options, externalData })` takes. */
export interface ModelBytes {
  readonly bytes: Uint8Array;
  /** `path` is the location that the model names. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/** protobuf's own limit. */
const modelBytesMax = 2 ** 31 - 1;
/** ONNX' own operators, classical models, and what ONNX Runtime brings itself. Others would need a library of their own. */
const knownDomains: readonly string[] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];
/** Reads compiled code from a file that the graph names. */
const refusedOperators: readonly string[] = ["com.microsoft.EPContext"];
const externalFilesMax = 1_000;

/**
 * Pins a model's ONNX file with its external data, and looks at its graph before anything runs it. Throws
 * `model_unsupported` for bytes that are no ONNX, operators of other domains and data outside of the model's folder.
 */
export async function pinModel(files: ModelFiles, name: string): Promise<PinnedModel> {
  const read = await files.read(name, modelBytesMax);
  const path = join(files.directory, name);
  if (read === undefined) {
    throw new MedleyError("model_not_found", `there is no ${path}`, {
      mend: "fetch the model again, with all its files",
    });
  }
  const graph = describeModel(read.bytes, path);
  const externalData: { location: string; file: PinnedFile }[] = [];
  for (const location of graph.externalData) {
    if (!isPlainPath(location)) throw escapes(path, location); // `../x` may still be inside the model's folder.
    externalData.push({ location, file: await files.pin(posix.join(posix.dirname(name), location)) });
  }
  return { ...read.file, contents: contentsOf(read.file, externalData), externalData, graph };
}

/** `describeGraph` with the mistakes of a model as errors that name it. */
export function describeModel(bytes: Uint8Array, path: string): GraphDescription {
  const unsupported = (what: string, mend: string, cause?: unknown) =>
    new MedleyError("model_unsupported", `${path}: ${what}`, { mend, cause });
  let graph: GraphDescription;
  try {
    graph = describeGraph(bytes);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw unsupported(
      `no ONNX model: ${cause.message}`,
      "fetch the file again, whole; it must be ONNX",
      cause,
    );
  }
  const domain = graph.operatorDomains.find((one) => !knownDomains.includes(one));
  const operator = graph.operators.find((one) => refusedOperators.includes(one));
  const foreign =
    domain === undefined ? operator : graph.operators.find((one) => one.startsWith(`${domain}.`));
  if (foreign !== undefined) {
    throw unsupported(
      `the operator ${foreign} is not one that ONNX Runtime brings itself`,
      "export the model with ONNX' own operators; libraries of operators are not loaded",
    );
  }
  if (graph.externalDataInside || graph.externalData.length > externalFilesMax) {
    throw unsupported(
      graph.externalDataInside
        ? "weights of a subgraph, a function or an attribute lie in another file"
        : `its weights lie in ${graph.externalData.length} files`,
      "save the model with its weights in one file (onnx.save_model)",
    );
  }
  return graph;
}

/** Reads and hashes again what was pinned: the same bytes are what a session runs. Blocks its thread. */
export function loadModelBytes(model: PinnedModel): ModelBytes {
  const bytes = readPinned(model);
  const externalData = model.externalData.map(({ location, file }) => ({
    path: location,
    data: readPinned(file),
  }));
  return { bytes, externalData };
}

function contentsOf(
  model: PinnedFile,
  externalData: readonly { readonly location: string; readonly file: PinnedFile }[],
): string {
  if (externalData.length === 0) return model.sha256;
  const hash = createHash("sha256").update(model.sha256);
  for (const { location, file } of externalData) hash.update(JSON.stringify([location, file.sha256]));
  return hash.digest("hex");
}
