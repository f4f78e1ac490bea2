import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Collection, checkConfig } from "@medley/core";
import { locateModel } from "@medley/models";
import { encodeOnnx, nodeOf, onnxTypes, tensorOf, valueInfoOf } from "@medley/models/onnx";
import { openDeployment, readSettings } from "medley";
import { expect, onTestFinished, test } from "vitest";

const dimensions = 8;
/** Ids that the model's table of embeddings has, of some 30,000 that its vocabulary knows. */
const idsKnown = 20_000;
const records = 10_000;
const poisonEvery = 10;

/**
 * A text model whose table of embeddings is shorter than its vocabulary: a text with a word beyond it makes ONNX
 * Runtime fail the whole batch.
 */
async function brittleModel(folder: string): Promise<{ goodWords: string[]; poisonWords: string[] }> {
  const { directory } = await locateModel("all-MiniLM-L6-v2", {});
  await mkdir(join(folder, "onnx"), { recursive: true });
  await mkdir(join(folder, "1_Pooling"));
  const copied = [
    "1_Pooling/config.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
  ];
  for (const name of copied) await copyFile(join(directory, name), join(folder, name));
  const config = JSON.parse(await readFile(join(directory, "config.json"), "utf8"));
  await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, hidden_size: dimensions }));
  const table = Float32Array.from({ length: idsKnown * dimensions }, (_, i) => Math.sin(i * 12.9898));
  const model = encodeOnnx({
    irVersion: 8,
    opsetImport: [{ version: 17n }],
    graph: {
      name: "brittle",
      node: [nodeOf("Gather", ["table", "input_ids"], "last_hidden_state")],
      initializer: [tensorOf("table", [idsKnown, dimensions], table)],
      input: ["input_ids", "attention_mask"].map((name) =>
        valueInfoOf(name, { dataType: onnxTypes.int64, dims: ["texts", "tokens"] }),
      ),
      output: [
        valueInfoOf("last_hidden_state", {
          dataType: onnxTypes.float32,
          dims: ["texts", "tokens", dimensions],
        }),
      ],
    },
  });
  await writeFile(join(folder, "onnx/model.onnx"), model);
  const { vocab } = JSON.parse(await readFile(join(folder, "tokenizer.json"), "utf8")).model as {
    vocab: Record<string, number>;
  };
  const words = Object.keys(vocab).filter((word) => /^[a-z]{4,}$/.test(word));
  return {
    goodWords: words.filter((word) => (vocab[word] as number) < idsKnown),
    poisonWords: words.filter((word) => (vocab[word] as number) >= idsKnown),
  };
}

test("1,000 texts among 10,000 that make the model fail: every other is indexed, and little is run again", async () => {
  const folder = await mkdtemp(join(tmpdir(), "medley-poison-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const model = join(folder, "model");
  const { goodWords, poisonWords } = await brittleModel(model);
  const wordOf = (words: readonly string[], n: number) => words[(n * 7_919) % words.length] as string;
  const inputs = Array.from({ length: records }, (_, n) => {
    const healthy = Array.from({ length: 2 + (n % 5) }, (_, at) => wordOf(goodWords, n * 5 + at)).join(" ");
    return { id: `r${n}`, text: n % poisonEvery === 3 ? `${healthy} ${wordOf(poisonWords, n)}` : healthy };
  });
  const [collection] = checkConfig({
    collections: {
      notes: { fields: { text: "text" }, spaces: { text: { encoder: "text", field: "text", model } } },
    },
  });
  await using deployment = await openDeployment({
    collections: new Map([["notes", collection as Collection]]),
    settings: readSettings({
      MEDLEY_DATA_DIR: join(folder, "data"),
      MEDLEY_POSTGRES_PORT: "0",
      MEDLEY_DEVICE: "cpu",
    }),
  });
  await deployment.runStages(["embed", "index"]);
  await deployment.ingest("notes", inputs);
  await deployment.settled();

  const { rows } = await deployment.pool.query<{ id: string }>("select id from medley.notes");
  const healthy = inputs.filter((_, n) => n % poisonEvery !== 3);
  expect(rows.map(({ id }) => id).sort()).toEqual(healthy.map(({ id }) => id).sort());
  const letters = await deployment.pool.query<{ record_id: string; code: string }>(
    "select record_id, code from medley.dead_letters",
  );
  expect(letters.rows).toHaveLength(records / poisonEvery);
  expect(new Set(letters.rows.map(({ code }) => code))).toEqual(new Set(["encoder_failed"]));

  // Each healthy text is run once, and at most log2(batch) + 1 = 7 more times while its neighbours are found out.
  const counted = deployment.runtime.counters;
  expect(counted.inputs).toBe(healthy.length);
  expect(counted.inputsTried - records / poisonEvery).toBeLessThanOrEqual(healthy.length * 8);
});
