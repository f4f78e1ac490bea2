import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ClassifierDescription,
  classifierFile,
  classifierWeightsFile,
  type Environment,
  locateModel,
  ModelFiles,
  type ModelKind,
  type ModelLock,
} from "@medley/models";
import { quantiseWeights } from "@medley/models/onnx";
import { encodeSafetensors } from "../fit/safetensors.ts";
import type { TrainedModel } from "../trained-model.ts";
import type { ClassifierHead } from "./classifier-head.ts";

/** How large weights are stored: as float32, or as int8 that is float32 again when the model loads (`quantiseWeights`). */
export type WeightStorage = "float32" | "int8";

/** The pre-trained model that was tuned. */
export interface BaseModel {
  readonly name: string;
  readonly kind: ModelKind;
  /** Of its vectors. */
  readonly dimensions: number;
  /** Hex sha256 of its ONNX file and external data. */
  readonly contents: string;
  readonly environment: Environment;
  readonly lock?: ModelLock | undefined;
}

export interface TunedArtefactOptions {
  /** What serves: with all weights in it. */
  readonly onnx: Uint8Array;
  /** How many of its last blocks are other than the base's. */
  readonly blocks: number;
  /** Null for a model that was tuned without classes. */
  readonly classifier: { readonly head: ClassifierHead; readonly described: ClassifierDescription } | null;
  readonly stores: WeightStorage;
  /** Files that are other than the base's. */
  readonly changed?: ReadonlyMap<string, Uint8Array>;
}

/** Files of a Hugging Face folder that say how the model is used. Each is copied where it is there. */
const copied = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "modules.json",
  "config_sentence_transformers.json",
  "sentence_bert_config.json",
  "preprocessor_config.json",
];
const licences = ["LICENSE", "NOTICE"];
const fileBytesMax = 256 * 2 ** 20;

/**
 * The folder of a tuned model: laid out like the pre-trained one, so that it opens as that does, and the classifier where there
 * is one, which `readClassifier` of @medley/models reads.
 */
export async function tunedArtefact(
  base: BaseModel,
  { onnx, blocks, classifier, stores, changed = new Map() }: TunedArtefactOptions,
): Promise<Pick<TrainedModel, "manifest" | "files">> {
  const files = await filesOf(base);
  for (const [name, bytes] of changed) files.set(name, bytes);
  files.set("model.onnx", stores === "int8" ? quantiseWeights(onnx).bytes : onnx);
  if (classifier !== null) {
    files.set(classifierFile, jsonBytes(classifier.described));
    files.set(classifierWeightsFile, headWeights(classifier.head));
  }
  const { kind, dimensions, name: model, contents: sha256 } = base;
  const target = classifier === null ? {} : { target: classifier.described.target };
  return { manifest: { kind, dimensions, base: { model, sha256 }, blocks, ...target }, files };
}

async function filesOf({
  name: model,
  kind,
  environment,
  lock,
}: BaseModel): Promise<Map<string, Uint8Array>> {
  const located = await locateModel(model, environment, { lock, kind });
  const source = await ModelFiles.open(located);
  const files = new Map<string, Uint8Array>();
  for (const name of [...copied, ...(await moduleFiles(source))]) {
    const read = await source.read(name, fileBytesMax);
    if (read !== undefined) files.set(name, read.bytes);
  }
  for (const name of licences) {
    // No manifest lists them; of the hub's files only what the lock names is the model's.
    if (located.origin === "hub" && !source.isListed(name)) continue;
    const bytes = await readFile(join(located.directory, name)).catch(() => null);
    if (bytes !== null) files.set(name, bytes);
  }
  return files;
}

/** Of the modules after a text's transformer; a folder has its configuration and perhaps weights. */
async function moduleFiles(source: ModelFiles): Promise<string[]> {
  const modules = (await source.json("modules.json")) as unknown as readonly { path?: string }[] | undefined;
  const folders = modules?.flatMap(({ path = "" }) => (path === "" ? [] : [path])) ?? ["1_Pooling"];
  return folders.flatMap((folder) => [`${folder}/config.json`, `${folder}/model.safetensors`]);
}

/** As a Dense module of sentence-transformers names them. */
function headWeights({ weight, bias }: ClassifierHead): Uint8Array {
  const classCount = bias.length;
  return encodeSafetensors(
    new Map([
      ["linear.weight", { dims: [classCount, weight.length / classCount], data: weight }],
      ["linear.bias", { dims: [classCount], data: bias }],
    ]),
  );
}

export function jsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}
