import { join } from "node:path";
import { identityOf } from "@medley/core";
import { ModelFiles, type PinnedFile } from "./files.ts";
import { type Environment, type LocateOptions, locateModel } from "./locate.ts";
import { type Matryoshka, matryoshkaOf } from "./matryoshka.ts";
import { type PinnedModel, pinModel } from "./onnx-file.ts";
import {
  type HeadModule,
  type Json,
  needed,
  type Pooling,
  readTextModules,
  unsupported,
} from "./text-modules.ts";

/** All that decides a text's vector, read from the model's own files. Plain data: it travels to threads. */
export interface TextModel {
  readonly kind: "text";
  readonly name: string;
  readonly dimensions: number;
  readonly model: PinnedModel;
  readonly tokenizer: PinnedFile;
  /** Of the transformer's output, per token. */
  readonly hiddenSize: number;
  readonly pooling: Pooling;
  /** What is done to the pooled vector before it is brought to unit length; mostly nothing. */
  readonly head: readonly HeadModule[];
  /** Longest input in tokens, special ones included. What is longer is cut. */
  readonly tokensMax: number;
  readonly lowerCase: boolean;
  /** Ids are 0 to `vocabularySize` - 1. */
  readonly vocabularySize: number;
  readonly padId: number;
  /** Put before stored texts, and before queries. Mostly empty; E5 and others ask for them. */
  readonly passagePrompt: string;
  readonly queryPrompt: string;
  /** To how many first dimensions its vectors may be cut. */
  readonly matryoshka: Matryoshka;
  /** 1 where a text's vector would depend on its neighbours in a batch; no bound otherwise. */
  readonly rowsPerBatchMax?: number;
  /** Hex sha256 of all of the above but name, paths, query prompt, cuts and batch bound. */
  readonly identity: string;
}

/** Raised when the same files would give other vectors. */
const algorithm = "text-onnx-2";

/**
 * Endings by which an int8 export is chosen on purpose, such as `org/name#quantized`. Such exports mostly quantise
 * what they compute by the whole batch's range: they are then run one text at a time.
 */
const int8Variant = /#(quantized|int8|uint8|q8)$/;

/** Names of one file that sentence-transformers has written over the years. */
const transformerFiles = ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"].map(
  (family) => `sentence_${family}_config.json`,
);

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
  const transformer = await transformerConfig(files);
  const tokenizerConfig = (await files.json("tokenizer_config.json")) ?? {};
  refuseLeftTruncation(files, tokenizerConfig);
  const prompts = promptsOf(files, (await files.json("config_sentence_transformers.json")) ?? {});
  // Families name it in their own ways; DistilBERT "dim", T5 "d_model".
  const hiddenSizeKey = ["hidden_size", "dim", "d_model"].find((key) => key in config) ?? "hidden_size";
  const hiddenSize = integerOf(files, config, hiddenSizeKey);
  const shape = {
    hiddenSize,
    vocabularySize: integerOf(files, config, "vocab_size"),
    padId: typeof config.pad_token_id === "number" ? config.pad_token_id : 0,
    tokensMax: tokensMaxOf(transformer, tokenizerConfig, config),
    lowerCase: transformer.do_lower_case === true,
  };
  const modules = await readTextModules(files, hiddenSize);
  const model = await pinModel(files, located.modelFile);
  const tokenizer = await files.pin("tokenizer.json");
  const identity = identityOf({
    algorithm,
    ...shape,
    pooling: modules.pooling,
    head: modules.head.map((each) => ("weights" in each ? { ...each, weights: each.weights.sha256 } : each)),
    passagePrompt: prompts.passagePrompt,
    model: model.contents,
    tokenizer: tokenizer.sha256,
  });
  const bound = model.graph.dynamicQuantised && int8Variant.test(name) ? { rowsPerBatchMax: 1 } : {};
  const matryoshka = matryoshkaOf(name, config);
  return {
    kind: "text",
    name,
    ...shape,
    ...modules,
    ...prompts,
    ...bound,
    matryoshka,
    model,
    tokenizer,
    identity,
  };
}

async function transformerConfig(files: ModelFiles): Promise<Json> {
  for (const name of transformerFiles) {
    const config = await files.json(name);
    if (config === undefined) continue;
    const task = config.transformer_task ?? "feature-extraction";
    if (task === "feature-extraction") return config;
    throw unsupported(
      join(files.directory, name),
      `"transformer_task" is ${JSON.stringify(task)}`,
      "use a model whose task is feature-extraction",
    );
  }
  return {};
}

/**
 * Texts are cut at their end. On which side a model pads does not count here: texts are padded after their end and
 * masked, so a vector is the one of the text alone.
 */
function refuseLeftTruncation(files: ModelFiles, tokenizerConfig: Json): void {
  if (tokenizerConfig.truncation_side !== "left") return;
  throw unsupported(
    join(files.directory, "tokenizer_config.json"),
    'long texts are to be cut at their start ("truncation_side")',
    "use a model that cuts texts at their end",
  );
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

/** Named as `encode_document` and `encode_query` of sentence-transformers look for them. */
function promptsOf(files: ModelFiles, config: Json): { passagePrompt: string; queryPrompt: string } {
  const prompts = (config.prompts ?? {}) as Readonly<Record<string, string | null>>;
  const usualName = config.default_prompt_name ?? undefined;
  if (usualName !== undefined && typeof prompts[String(usualName)] !== "string") {
    throw unsupported(
      join(files.directory, "config_sentence_transformers.json"),
      `"default_prompt_name" is ${JSON.stringify(usualName)}, which "prompts" does not have`,
      "fetch the model again, or correct the name",
    );
  }
  const usual = prompts[String(usualName)] ?? "";
  return {
    passagePrompt: prompts.document ?? prompts.passage ?? prompts.corpus ?? usual,
    queryPrompt: prompts.query ?? usual,
  };
}

function tokensMaxOf(transformer: Json, tokenizerConfig: Json, config: Json): number {
  // RoBERTa and its kin count positions from the padding id on.
  const reserved = /roberta|mpnet|camembert/.test(String(config.model_type))
    ? Number(config.pad_token_id ?? 1) + 1
    : 0;
  const limits = [
    transformer.max_seq_length ?? tokenizerConfig.model_max_length,
    typeof config.max_position_embeddings === "number"
      ? config.max_position_embeddings - reserved
      : undefined,
  ].filter((limit) => typeof limit === "number" && limit > 0);
  return limits.length === 0 ? 512 : Math.min(...(limits as number[]));
}
