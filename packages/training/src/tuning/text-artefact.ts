import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ClassifierDescription,
  classifierFile,
  classifierWeightsFile,
  type Environment,
  locateModel,
  ModelFiles,
  type ModelLock,
} from "@medley/models";
import { quantiseWeights } from "@medley/models/onnx";
import { replaceTensors } from "../engine/replace-tensors.ts";
import { encodeSafetensors } from "../fit/safetensors.ts";
import type { TrainedModel } from "../trained-model.ts";
import type { ClassifierHead } from "./classifier-head.ts";
import type { TextBackbone } from "./text-backbone.ts";
import type { TunedCandidate } from "./text-tuner.ts";

/** How large weights are stored: as float32, or as int8 that is float32 again when the model loads (`quantiseWeights`). */
export type WeightStorage = "float32" | "int8";

export interface TextArtefactOptions {
  readonly environment: Environment;
  readonly lock?: ModelLock | undefined;
  readonly classes: readonly string[];
  /** Names the target of the classifier: `label`. */
  readonly target: string;
  readonly temperature: number;
  readonly stores: WeightStorage;
}

/** Files of a sentence-transformers folder that say how the model is used. Each is copied where it is there. */
const copied = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "modules.json",
  "config_sentence_transformers.json",
];
const licences = ["LICENSE", "NOTICE"];
const limitFile = "sentence_bert_config.json";
const fileBytesMax = 256 * 2 ** 20;

/**
 * The folder of a tuned text model: the original's graph with the trained tensors in it, its tokenizer, pooling and
 * configuration, so that it opens as any text model does; and the classifier, which `readClassifier` of @medley/models reads.
 */
export async function textArtefact(
  backbone: TextBackbone,
  candidate: TunedCandidate,
  options: TextArtefactOptions,
): Promise<Pick<TrainedModel, "manifest" | "files">> {
  const { model, bytes } = backbone;
  const { environment, lock, classes, target, temperature, stores } = options;
  const files = new Map<string, Uint8Array>();
  const located = await locateModel(model.name, environment, { lock, kind: "text" });
  const source = await ModelFiles.open(located);
  for (const name of licences) {
    // Beside a manifest that does not list them; of the hub's only what the lock names is the model's.
    if (located.origin === "hub" && !source.isListed(name)) continue;
    const bytes = await readFile(join(located.directory, name)).catch(() => null);
    if (bytes !== null) files.set(name, bytes);
  }
  for (const name of [...copied, ...(await moduleFiles(source))]) {
    const read = await source.read(name, fileBytesMax);
    if (read !== undefined) files.set(name, read.bytes);
  }
  const limits = (await source.json(limitFile)) ?? {};
  files.set(limitFile, jsonBytes({ ...limits, max_seq_length: model.tokensMax }));
  const served = replaceTensors(bytes, candidate.blocks);
  files.set("model.onnx", stores === "int8" ? quantiseWeights(served).bytes : served);
  const described: ClassifierDescription = { target, labels: classes, temperature };
  files.set(classifierFile, jsonBytes(described));
  files.set(classifierWeightsFile, headWeights(candidate.head));
  const manifest = {
    kind: "text",
    dimensions: model.dimensions,
    base: { model: model.name, sha256: model.model.contents },
    blocks: candidate.cut?.blocks ?? 0,
    target,
  };
  return { manifest, files };
}

/** Of the modules after the transformer; a folder has its configuration and perhaps weights. */
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

function jsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}
