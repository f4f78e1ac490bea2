import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { MedleyError } from "@medley/core";
import {
  describeModel,
  loadModelBytes,
  locateModel,
  ModelFiles,
  type OutputCandidate,
  outputCandidates,
  pinModel,
} from "@medley/models";
import type { Context } from "./context.ts";
import { kindOf, modelsHere } from "./models-context.ts";
import { type Outcome, table } from "./output.ts";

/** `medley models outputs MODEL`: the tensors that may serve as an embedding, of a model or of an ONNX file by itself. */
export async function modelOutputs(context: Context, name: string): Promise<Outcome> {
  const bytes = await bytesOf(context, name);
  const candidates = outputCandidates(bytes);
  const rows = candidates.map(({ name: output, dims, why }) => [output, shapeOf(dims), why]);
  const text =
    rows.length === 0
      ? `${name}: no output and no layer before a classifier could be told`
      : `${table(["output", "shape", "what it is"], rows)}\nuse one as the space's output: { encoder: "image", output: "${candidates[0]?.name}", … }`;
  return { exitCode: rows.length === 0 ? 1 : 0, data: { model: name, candidates }, text };
}

async function bytesOf(context: Context, name: string): Promise<Uint8Array> {
  if (name.endsWith(".onnx")) return fileBytes(resolve(context.directory, name));
  const here = await modelsHere(context);
  const located = await locateModel(name, context.environment, { lock: here.lock, kind: kindOf(name, here) });
  return loadModelBytes(await pinModel(await ModelFiles.open(located), located.modelFile)).bytes;
}

async function fileBytes(path: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(path);
    describeModel(bytes, path);
    return bytes;
  } catch (cause) {
    if (cause instanceof MedleyError) throw cause;
    throw new MedleyError("model_not_found", `${path} can't be read`, {
      mend: "give a model's name, the path of its folder, or of an ONNX file",
      cause,
    });
  }
}

function shapeOf(dims: OutputCandidate["dims"]): string {
  return dims === null ? "unknown" : `[${dims.map((dim) => dim ?? "?").join(", ")}]`;
}
