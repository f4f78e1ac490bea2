import { join } from "node:path";
import { identityOf, MedleyError } from "@medley/core";
import { ModelFiles, type PinnedFile } from "./files.ts";
import { type Environment, type LocateOptions, locateModel } from "./locate.ts";
import { type PinnedModel, pinModel } from "./onnx-file.ts";

export type Pooling = "mean" | "cls";

/** All that decides a text's vector, read from the model's own files. Plain data: it travels to threads. */
export interface TextModel {
  readonly kind: "text";
  readonly name: string;
  readonly dimensions: number;
  readonly model: PinnedModel;
  readonly tokenizer: PinnedFile;
  readonly pooling: Pooling;
  /** Longest input in tokens, special ones included. What is longer is cut. */
  readonly tokensMax: number;
  readonly lowerCase: boolean;
  /** Ids are 0 to `vocabularySize` - 1. */
  readonly vocabularySize: number;
  readonly padId: number;
  /** Put before stored texts, and before queries. Mostly empty; E5 and others ask for them. */
  readonly passagePrompt: string;
  readonly queryPrompt: string;
  /** Hex sha256 of all of the above but name, path and query prompt. */
  readonly identity: string;
}

/** Raised when the same files would give other vectors. */
const algorithm = "text-onnx-1";

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a model in Hugging Face's (sentence-transformers') layout. Throws `model_not_found`, `model_damaged`, or
 * `model_unsupported` where the files ask for what this runtime doesn't do: nothing is guessed or ignored.
 */
export async function readTextModel(
  name: string,
  environment: Environment,
  options: Pick<LocateOptions, "lock"> = {},
): Promise<TextModel> {
  const located = await locateModel(name, environment, { ...options, kind: "text" });
  const files = await ModelFiles.open(located);
  const config = await needed(files, "config.json");
  const transformer = (await files.json("sentence_bert_config.json")) ?? {};
  const prompts = promptsOf((await files.json("config_sentence_transformers.json")) ?? {});
  const shape = {
    dimensions: integerOf(files, config, "hidden_size"),
    vocabularySize: integerOf(files, config, "vocab_size"),
    padId: typeof config.pad_token_id === "number" ? config.pad_token_id : 0,
    pooling: await poolingOf(files, prompts),
    tokensMax: tokensMaxOf(transformer, (await files.json("tokenizer_config.json")) ?? {}, config),
    lowerCase: transformer.do_lower_case === true,
  };
  const model = await pinModel(files, located.modelFile);
  const tokenizer = await files.pin("tokenizer.json");
  const identity = identityOf({
    algorithm,
    ...shape,
    passagePrompt: prompts.passagePrompt,
    model: model.contents,
    tokenizer: tokenizer.sha256,
  });
  return { kind: "text", name, ...shape, ...prompts, model, tokenizer, identity };
}

function unsupported(path: string, what: string, mend: string): MedleyError {
  return new MedleyError("model_unsupported", `${path}: ${what}`, { mend });
}

async function needed(files: ModelFiles, name: string): Promise<Json> {
  const json = await files.json(name);
  if (json !== undefined) return json;
  throw new MedleyError("model_not_found", `the model has no ${join(files.directory, name)}`, {
    mend: "fetch the model again, with all its files",
  });
}

function integerOf(files: ModelFiles, config: Json, key: string): number {
  const value = config[key];
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw unsupported(
    join(files.directory, "config.json"),
    `"${key}" is ${JSON.stringify(value)}, not a positive integer`,
    "use a text model of the BERT family",
  );
}

const modules = { transformer: "Transformer", pooling: "Pooling", normalize: "Normalize" } as const;

/**
 * Pooling is what `modules.json` says after the transformer. A Normalize module changes nothing here: segments are
 * of unit length in any case.
 */
async function poolingOf(
  files: ModelFiles,
  prompts: { passagePrompt: string; queryPrompt: string },
): Promise<Pooling> {
  const path = join(files.directory, "modules.json");
  const list = (await files.json("modules.json")) as unknown;
  if (!Array.isArray(list)) {
    throw unsupported(
      path,
      "not there, so the pooling is unknown",
      "use the model's sentence-transformers repository",
    );
  }
  const kinds = list.map((module: { type?: unknown }) => String(module.type).split(".").at(-1) as string);
  const unknown = kinds.find((kind) => !(Object.values(modules) as string[]).includes(kind));
  if (unknown !== undefined) {
    throw unsupported(
      path,
      `the module "${unknown}" is not known here`,
      "use a model of Transformer, Pooling and Normalize modules",
    );
  }
  if (kinds[0] !== modules.transformer || kinds[1] !== modules.pooling) {
    throw unsupported(
      path,
      `the modules are ${kinds.join(", ")}`,
      "use a model of Transformer, then Pooling",
    );
  }
  const folder = String((list[1] as { path?: unknown }).path);
  return poolingMode(join(files.directory, folder), await needed(files, `${folder}/config.json`), prompts);
}

function poolingMode(
  folder: string,
  config: Json,
  prompts: { passagePrompt: string; queryPrompt: string },
): Pooling {
  const path = join(folder, "config.json");
  const flags = Object.entries(config).filter(
    ([key, value]) => key.startsWith("pooling_mode_") && value === true,
  );
  const modes =
    typeof config.pooling_mode === "string"
      ? [config.pooling_mode]
      : flags.map(([key]) => key.slice("pooling_mode_".length));
  if (config.include_prompt === false && (prompts.passagePrompt !== "" || prompts.queryPrompt !== "")) {
    throw unsupported(
      path,
      "prompts are to be left out of the pooling",
      "use a model that pools its prompt too",
    );
  }
  if (modes.length === 1 && (modes[0] === "mean_tokens" || modes[0] === "mean")) return "mean";
  if (modes.length === 1 && (modes[0] === "cls_token" || modes[0] === "cls")) return "cls";
  throw unsupported(
    path,
    `the pooling is "${modes.join(", ")}"`,
    'use a model whose pooling is "mean" or "cls"',
  );
}

function promptsOf(config: Json): { passagePrompt: string; queryPrompt: string } {
  const prompts = (config.prompts ?? {}) as Readonly<Record<string, string>>;
  const usual = prompts[String(config.default_prompt_name)] ?? "";
  return {
    passagePrompt: prompts.passage ?? prompts.document ?? usual,
    queryPrompt: prompts.query ?? usual,
  };
}

function tokensMaxOf(transformer: Json, tokenizerConfig: Json, config: Json): number {
  // RoBERTa and its kin count positions from the padding id on.
  const reserved = /roberta|mpnet|camembert/.test(String(config.model_type))
    ? Number(config.pad_token_id ?? 1) + 1
    : 0;
  const limits = [
    transformer.max_seq_length,
    transformer.max_seq_length === undefined ? tokenizerConfig.model_max_length : undefined,
    typeof config.max_position_embeddings === "number"
      ? config.max_position_embeddings - reserved
      : undefined,
  ].filter((limit) => typeof limit === "number" && limit > 0);
  return limits.length === 0 ? 512 : Math.min(...(limits as number[]));
}
