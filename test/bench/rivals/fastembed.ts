import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "./serve.ts";

/**
 * A process of fastembed's npm package with its own settings. Argument: the model's folder. It pools by the first token
 * whatever the model asks for, so of its vectors only the number can be compared; and it pads every text to the limit.
 * It is not one of the project's packages, being 230 MB: MEDLEY_BENCH_FASTEMBED names a folder where it is installed
 * (npm install fastembed@2.1.0).
 */
interface FastEmbed {
  readonly EmbeddingModel: { readonly CUSTOM: string };
  readonly FlagEmbedding: {
    init(options: { model: string; modelAbsoluteDirPath: string; modelName: string }): Promise<{
      embed(texts: string[], batchTexts?: number): AsyncIterable<ArrayLike<number>[]>;
    }>;
  };
}

const installed = process.env.MEDLEY_BENCH_FASTEMBED;
if (installed === undefined)
  throw new Error("MEDLEY_BENCH_FASTEMBED names no folder where fastembed is installed");
const { EmbeddingModel, FlagEmbedding } = createRequire(join(installed, "package.json"))(
  "fastembed",
) as FastEmbed;

const [modelDirectory = ""] = process.argv.slice(2);

// It wants one file that the model's own repository need not have.
const folder = await mkdtemp(join(tmpdir(), "rival-fastembed-"));
for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json", "onnx"]) {
  await symlink(join(modelDirectory, name), join(folder, name));
}
const specialTokens = { cls_token: "[CLS]", sep_token: "[SEP]", pad_token: "[PAD]", unk_token: "[UNK]" };
await writeFile(join(folder, "special_tokens_map.json"), JSON.stringify(specialTokens));
const model = await FlagEmbedding.init({
  model: EmbeddingModel.CUSTOM,
  modelAbsoluteDirPath: folder,
  modelName: "onnx/model.onnx",
});
await rm(folder, { recursive: true });

await serve(async (texts, batchTexts) => {
  const vectors: number[][] = [];
  const batches = batchTexts === 0 ? model.embed([...texts]) : model.embed([...texts], batchTexts);
  for await (const batch of batches) vectors.push(...batch.map((vector) => Array.from(vector)));
  return vectors;
});
