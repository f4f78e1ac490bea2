import { strict as assert } from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { locateModel, openModelRuntime, splitRows } from "@medley/models";
import { expect, onTestFinished, test } from "vitest";
import { layout } from "../default-model/layout.ts";

/** Made by sentence-transformers: infra/reference/text.py. */
interface ReferenceText {
  readonly text: string;
  /** Separated by spaces. */
  readonly ids: string;
  readonly role?: "passage" | "query";
}

const dimensions = 384;
const specialOnly = "101 102";

function reference(name: string): { texts: readonly ReferenceText[]; vectors: readonly Float32Array[] } {
  const bytes = (end: string) => gunzipSync(readFileSync(join(import.meta.dirname, `${name}.${end}.gz`)));
  const texts: ReferenceText[] = JSON.parse(bytes("texts.json").toString("utf8"));
  const floats = new Float32Array(Uint8Array.from(bytes("vectors.f32")).buffer);
  assert.equal(floats.length, texts.length * dimensions);
  return {
    texts,
    vectors: texts.map((_, index) => floats.subarray(index * dimensions, (index + 1) * dimensions)),
  };
}

// biome-ignore lint/suspicious/noUndeclaredEnvVars: no task of turbo's runs this test.
const original = process.env.MEDLEY_FP32_MINILM;
const noOriginal = original === undefined || !existsSync(original);
if (noOriginal) {
  console.log(
    "skipped: 500 texts by the float32 MiniLM against sentence-transformers. Set MEDLEY_FP32_MINILM to the file that " +
      "infra/default-model/fetch.sh prints",
  );
}
// biome-ignore lint/suspicious/noUndeclaredEnvVars: no task of turbo's runs this test.
const cache = process.env.MEDLEY_MODELS_CACHE;
const smallNames = ["bge-small-en-v1.5", "e5-small-v2"] as const;
const noSmall = smallNames.some((name) => !existsSync(join(cache ?? "", `${name}.onnx`)));
if (noSmall) {
  console.log(
    `skipped: ${smallNames.join(" and ")} against sentence-transformers. Set MEDLEY_MODELS_CACHE to the folder that ` +
      "infra/reference/fetch-text.sh prints",
  );
}

const minilm = reference("all-minilm-l6-v2");
const said = minilm.texts.map(({ ids }) => ids !== specialOnly);

test("the reference is of 500 texts, few of which say nothing", () => {
  expect(new Set(minilm.texts.map(({ text }) => text)).size).toBe(500);
  expect(said.filter((says) => !says).length).toBeLessThan(25);
  expect(minilm.texts.filter(({ ids }) => ids.split(" ").length === 256).length).toBeGreaterThan(10);
});

test("token ids of 500 texts of all scripts equal those of sentence-transformers", async () => {
  await using runtime = openModelRuntime({ threads: 1, environment: {} });
  const model = await runtime.textModel("all-MiniLM-L6-v2");
  const rows = await model.prepare(minilm.texts.map(({ text }) => text));
  expect(rows.failures).toEqual([]);
  const got = splitRows(rows).map((ids) => (ids.length === 0 ? specialOnly : ids.join(" ")));
  const wrong = minilm.texts.filter(({ ids }, index) => ids !== got[index]).map(({ text }) => text);
  expect(wrong).toEqual([]);
});

test("vectors of the bundled model, whose weights are stored as int8, are near", {
  timeout: 180_000,
}, async () => {
  const got = await passages("all-MiniLM-L6-v2", minilm.texts);
  const cosines = got
    .filter((_, index) => said[index])
    .map((vector, index) => {
      const expected = minilm.vectors.filter((__, at) => said[at])[index] as Float32Array;
      return vector.reduce((sum, x, d) => sum + x * (expected[d] as number), 0);
    });
  expect(cosines.length).toBeGreaterThan(475);
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.998);
  for (const [index, vector] of got.entries()) expect(vector.some((x) => x !== 0)).toBe(said[index]);
});

test.skipIf(noOriginal)(
  "vectors of the float32 model equal sentence-transformers' to 1e-5",
  { timeout: 180_000 },
  async () => {
    const { directory } = await locateModel("all-MiniLM-L6-v2", {});
    const folder = await modelFolder(original as string, join(directory, "tokenizer.json"), layout);
    const got = await passages(folder, minilm.texts);
    const differences = got.flatMap((vector, index) =>
      said[index] ? [largestDifference(vector, minilm.vectors[index] as Float32Array)] : [],
    );
    console.log(
      `float32 MiniLM: ${differences.length} texts, largest difference ${Math.max(...differences)}`,
    );
    expect(Math.max(...differences)).toBeLessThanOrEqual(1e-5);
  },
);

/** The files of the models' own repositories; E5's names its prompts in its card alone. */
const repositories: Readonly<Record<(typeof smallNames)[number], Readonly<Record<string, unknown>>>> = {
  "bge-small-en-v1.5": {
    "1_Pooling/config.json": { word_embedding_dimension: dimensions, pooling_mode_cls_token: true },
    "sentence_bert_config.json": { max_seq_length: 512, do_lower_case: true },
    "config_sentence_transformers.json": {
      prompts: { query: "Represent this sentence for searching relevant passages: " },
    },
  },
  "e5-small-v2": {
    "1_Pooling/config.json": { word_embedding_dimension: dimensions, pooling_mode_mean_tokens: true },
    "sentence_bert_config.json": { max_seq_length: 512, do_lower_case: false },
    "config_sentence_transformers.json": { prompts: { query: "query: ", passage: "passage: " } },
  },
};

test.skipIf(noSmall).for(smallNames)(
  "%s: vectors of passages and queries equal sentence-transformers' to 1e-5",
  { timeout: 180_000 },
  async (name) => {
    const { texts, vectors } = reference(name);
    const files = { ...layout, ...repositories[name], "tokenizer_config.json": { model_max_length: 512 } };
    const folder = await modelFolder(
      join(cache as string, `${name}.onnx`),
      join(cache as string, `${name}-tokenizer.json`),
      files,
    );
    await using runtime = openModelRuntime({ environment: {} });
    const encoder = await runtime.textEncoder(folder);
    const differences = await Promise.all(
      texts.map(async ({ text, role }, index) => {
        const expected = vectors[index] as Float32Array;
        if (role === "query") return largestDifference(await encoder.encodeQuery(text), expected);
        const [result] = await encoder.encode([text]);
        assert(result?.ok);
        return largestDifference(result.value, expected);
      }),
    );
    console.log(`${name}: ${differences.length} texts, largest difference ${Math.max(...differences)}`);
    expect(differences.length).toBeGreaterThanOrEqual(38);
    expect(Math.max(...differences)).toBeLessThanOrEqual(1e-5);
  },
);

async function passages(model: string, texts: readonly ReferenceText[]): Promise<Float32Array[]> {
  await using runtime = openModelRuntime({ environment: {} });
  const encoder = await runtime.textEncoder(model);
  return (await encoder.encode(texts.map(({ text }) => text))).map((result) => {
    assert(result.ok);
    return result.value;
  });
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return Math.max(...a.map((x, d) => Math.abs(x - (b[d] as number))));
}

/** A folder as the model's repository would be, removed when the test ends. */
async function modelFolder(
  model: string,
  tokenizer: string,
  files: Readonly<Record<string, unknown>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "reference-text-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "onnx"));
  await copyFile(model, join(folder, "onnx/model.onnx"));
  await copyFile(tokenizer, join(folder, "tokenizer.json"));
  for (const [name, json] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), JSON.stringify(json));
  }
  return folder;
}
