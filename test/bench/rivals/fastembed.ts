import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddingModel, FlagEmbedding } from "fastembed";
import { serve } from "./serve.ts";

/**
 * A process of fastembed's npm package with its own settings. Argument: the model's folder. It pools by the first token
 * whatever the model asks for, so of its vectors only the number can be compared; and it pads every text to the limit.
 */
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
  for await (const batch of batches) vectors.push(...batch.map((vector) => [...vector]));
  return vectors;
});
