import { stat } from "node:fs/promises";
import { join } from "node:path";
import { MedleyError } from "@medley/core";
import type { ModelFiles, PinnedFile } from "./files.ts";

/** In the order in which sentence-transformers puts the parts of a vector that is pooled in several ways. */
const poolingModes = ["cls", "max", "mean", "mean_sqrt_len_tokens", "lasttoken"] as const;
export type PoolingMode = (typeof poolingModes)[number];

/** The flags of configurations that sentence-transformers 5 and older wrote. */
const poolingFlags: Readonly<Record<string, PoolingMode>> = {
  pooling_mode_cls_token: "cls",
  pooling_mode_max_tokens: "max",
  pooling_mode_mean_tokens: "mean",
  pooling_mode_mean_sqrt_len_tokens: "mean_sqrt_len_tokens",
  pooling_mode_lasttoken: "lasttoken",
};

/** How hidden states become one vector: the vectors of all modes, one after the other. */
export interface Pooling {
  readonly modes: readonly PoolingMode[];
  /** `false`: the tokens of the prompt, and the special ones before it, are left out. */
  readonly includesPrompt: boolean;
}

/** Torch's classes by their last name: `torch.nn.modules.activation.Tanh` and so on. */
const activations = ["Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid"] as const;
export type Activation = (typeof activations)[number];

/** What is done to a pooled vector, in order. The weights are a safetensors file. */
export type HeadModule =
  | {
      readonly kind: "dense";
      readonly weights: PinnedFile;
      readonly inFeatures: number;
      readonly outFeatures: number;
      readonly bias: boolean;
      readonly activation: Activation;
    }
  | { readonly kind: "layer-norm"; readonly weights: PinnedFile; readonly dimensions: number }
  | { readonly kind: "normalize" };

/** The modules after the transformer, as the model's own files list them. */
export interface TextModules {
  readonly pooling: Pooling;
  readonly head: readonly HeadModule[];
  /** Of the vector that comes out of the last module. */
  readonly dimensions: number;
}

export type Json = Readonly<Record<string, unknown>>;

const poolingFile = "1_Pooling/config.json";
const namespace = "sentence_transformers.";

/**
 * Reads `modules.json` and the folders it names, as sentence-transformers writes them; a model without that file needs
 * at least `1_Pooling/config.json`. Throws `model_unsupported` for a module that is not known here: none is left out.
 */
export async function readTextModules(files: ModelFiles, hiddenSize: number): Promise<TextModules> {
  const list = ((await files.json("modules.json")) ?? (await impliedModules(files))) as unknown;
  const path = join(files.directory, "modules.json");
  if (!Array.isArray(list)) throw unsupported(path, "no list of modules", "fetch the model again");
  const modules = list.map(({ type, path: folder }: Json) => ({
    kind: kindOf(path, String(type)),
    folder: String(folder ?? ""),
  }));
  const kinds = modules.map(({ kind }) => kind).join(", ");
  const [transformer, poolingModule, ...rest] = modules;
  if (transformer?.kind !== "Transformer" || poolingModule?.kind !== "Pooling") {
    throw unsupported(path, `the modules are ${kinds}`, "use a model of Transformer, then Pooling");
  }
  if (transformer.folder !== "") {
    throw unsupported(
      path,
      `the transformer is in the folder "${transformer.folder}"`,
      "use a model whose transformer's files are in its main folder",
    );
  }
  const pooling = await readPooling(files, poolingModule.folder);
  const head: HeadModule[] = [];
  let dimensions = pooling.modes.length * hiddenSize;
  for (const { kind, folder } of rest) {
    const module = await readHeadModule(files, kind, folder, dimensions);
    if (module === undefined) continue;
    head.push(module);
    if (module.kind === "dense") dimensions = module.outFeatures;
  }
  // A segment is brought to unit length in any case.
  while (head.at(-1)?.kind === "normalize") head.pop();
  return { pooling, head, dimensions };
}

/** A repository that says how it pools and no more: older ones, and conversions that left out `modules.json`. */
async function impliedModules(files: ModelFiles): Promise<readonly Json[]> {
  const path = join(files.directory, "modules.json");
  if (!(await isThere(files, poolingFile))) {
    throw unsupported(
      path,
      `not there, and no ${poolingFile} either, so the pooling is unknown`,
      "use the model's sentence-transformers repository; or, where its card says how it pools, write " +
        `${poolingFile} with {"pooling_mode": "mean"} or "cls"`,
    );
  }
  if (await isThere(files, "2_Dense/config.json")) {
    throw unsupported(
      path,
      "not there, though there is a 2_Dense: the order of the modules is unknown",
      "fetch the model again, with its modules.json",
    );
  }
  return [
    { path: "", type: `${namespace}models.Transformer` },
    { path: "1_Pooling", type: `${namespace}models.Pooling` },
  ];
}

/** The class's name. Classes of others may do anything: only those of sentence-transformers itself are known. */
function kindOf(path: string, type: string): string {
  const kind = type.split(".").at(-1) as string;
  const known = ["Transformer", "Pooling", "Dense", "LayerNorm", "Normalize", "Dropout"];
  if (type.startsWith(namespace) && known.includes(kind)) return kind;
  throw unsupported(
    path,
    `the module "${type}" is not known here`,
    `use a model of ${known.slice(0, -1).join(", ")} modules`,
  );
}

async function readPooling(files: ModelFiles, folder: string): Promise<Pooling> {
  const config = await needed(files, `${folder}/config.json`);
  const asked =
    config.pooling_mode ?? Object.keys(config).filter((key) => isPoolingKey(key) && config[key] === true);
  const names = (Array.isArray(asked) ? asked : [asked]).map(
    (name) => poolingFlags[String(name)] ?? String(name),
  );
  const modes = names.filter((name): name is PoolingMode =>
    (poolingModes as readonly string[]).includes(name),
  );
  if (modes.length === 0 || modes.length < names.length) {
    throw unsupported(
      join(files.directory, folder, "config.json"),
      `the pooling is "${names.join(", ")}"`,
      `use a model whose pooling is one or several of ${poolingModes.join(", ")}`,
    );
  }
  // Flags have no order of their own; a list has.
  if (config.pooling_mode === undefined) {
    modes.sort((a, b) => poolingModes.indexOf(a) - poolingModes.indexOf(b));
  }
  return { modes, includesPrompt: config.include_prompt !== false };
}

function isPoolingKey(key: string): boolean {
  return key.startsWith("pooling_mode_");
}

async function readHeadModule(
  files: ModelFiles,
  kind: string,
  folder: string,
  dimensions: number,
): Promise<HeadModule | undefined> {
  if (kind === "Dropout") return undefined; // It only does something while a model is trained.
  const path = join(files.directory, folder, "config.json");
  const config = kind === "Normalize" ? ((await files.json(`${folder}/config.json`)) ?? {}) : undefined;
  const {
    module_input_name: input,
    module_output_name: output,
    ...json
  } = config ?? (await needed(files, `${folder}/config.json`));
  const elsewhere = [input, output].find((name) => (name ?? "sentence_embedding") !== "sentence_embedding");
  if (elsewhere !== undefined) {
    throw unsupported(
      path,
      `works on "${elsewhere}"`,
      "use a model whose modules work on sentence_embedding",
    );
  }
  if (kind === "Normalize") return { kind: "normalize" };
  if (kind === "Dense") return readDense(files, folder, json, dimensions);
  if (kind === "LayerNorm") {
    expectDimensions(path, "dimension", json.dimension, dimensions);
    return { kind: "layer-norm", weights: await pinWeights(files, folder), dimensions };
  }
  throw unsupported(path, `a second ${kind}`, "use a model of one Transformer and one Pooling");
}

async function readDense(
  files: ModelFiles,
  folder: string,
  config: Json,
  dimensions: number,
): Promise<HeadModule> {
  const path = join(files.directory, folder, "config.json");
  expectDimensions(path, "in_features", config.in_features, dimensions);
  const outFeatures = config.out_features;
  if (!Number.isSafeInteger(outFeatures) || (outFeatures as number) < 1) {
    throw unsupported(path, `"out_features" is ${JSON.stringify(outFeatures)}`, "fetch the model again");
  }
  if (config.use_residual === true) {
    throw unsupported(path, '"use_residual" is set', "use a model whose Dense modules have no residual");
  }
  // Torch's own names; sentence-transformers takes Tanh where the file names none.
  const name = String(config.activation_function ?? "torch.nn.modules.activation.Tanh");
  const activation = activations.find((each) => name.startsWith("torch.nn.") && name.endsWith(`.${each}`));
  if (activation === undefined) {
    throw unsupported(
      path,
      `the activation "${name}" is not known here`,
      `use a model whose Dense modules have one of ${activations.join(", ")}`,
    );
  }
  return {
    kind: "dense",
    weights: await pinWeights(files, folder),
    inFeatures: dimensions,
    outFeatures: outFeatures as number,
    bias: config.bias !== false,
    activation,
  };
}

function expectDimensions(path: string, key: string, got: unknown, expected: number): void {
  if (got === expected) return;
  throw unsupported(
    path,
    `"${key}" is ${JSON.stringify(got)}, but a vector of ${expected} comes in`,
    "fetch the model again, with the files that belong together",
  );
}

async function pinWeights(files: ModelFiles, folder: string): Promise<PinnedFile> {
  const name = `${folder}/model.safetensors`;
  if (!(await isThere(files, name)) && (await isThere(files, `${folder}/pytorch_model.bin`))) {
    throw unsupported(
      join(files.directory, folder, "pytorch_model.bin"),
      "a pickle, which can run any code, is not read",
      "load the model with sentence-transformers and save it again: it then writes model.safetensors",
    );
  }
  return files.pin(name);
}

async function isThere(files: ModelFiles, name: string): Promise<boolean> {
  return stat(join(files.directory, name)).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** The object in a file that the model must have. Throws `model_not_found`. */
export async function needed(files: ModelFiles, name: string): Promise<Json> {
  const json = await files.json(name);
  if (json !== undefined) return json;
  throw new MedleyError("model_not_found", `the model has no ${join(files.directory, name)}`, {
    mend: "fetch the model again, with all its files",
  });
}

export function unsupported(path: string, what: string, mend: string): MedleyError {
  return new MedleyError("model_unsupported", `${path}: ${what}`, { mend });
}
