import { existsSync, readFileSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { MedleyError } from "@medley/core";
import { InferenceSession } from "onnxruntime-node";
import { expect, test } from "vitest";
import { modelFolder } from "../artefact/model-folder.fixture.ts";
import { readTextModel, type TextModel } from "../artefact/text-model.ts";
import { type Rows, selectRows, splitRows } from "../runtime/rows.ts";
import { sessionOptions } from "../runtime/session.ts";
import { feedsOf, TextSession } from "./text-session.ts";
import { tinyHiddenSize, tinyModel, tinyModelFiles } from "./tiny-model.fixture.ts";

const texts = [
  "bread",
  "A violinist falls in love with the conductor.",
  "a b c d e f g",
  "?",
  "one two three",
];

async function tiny(
  options: { opset?: bigint; quantises?: boolean; pooling?: object; prompts?: Record<string, string> } = {},
): Promise<TextModel> {
  const { pooling = { pooling_mode: "mean" }, prompts = {}, ...graph } = options;
  const directory = await modelFolder({
    ...tinyModelFiles(pooling),
    "config_sentence_transformers.json": { prompts },
    "onnx/model.onnx": tinyModel(graph),
  });
  return readTextModel(directory, {});
}

async function vectorsOf(session: TextSession, inputs = texts, role: "passage" | "query" = "passage") {
  const rows = await session.prepare(inputs, role);
  expect(rows.failures).toEqual([]);
  const { vectors, failed } = await session.run(rows);
  expect(failed).toEqual([]);
  return vectors;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((x, index) => Math.abs(x - (b[index] as number))));
}

const modes = ["cls", "max", "mean", "mean_sqrt_len_tokens", "lasttoken"];
const cases = [11n, 13n, 17n, 18n].flatMap((opset) =>
  [true, false].map((include) => [opset, include] as const),
);

test.for(cases)(
  "pooled in a graph of operators %i, prompt included %s: as outside",
  async ([opset, include_prompt]) => {
    for (const pooling_mode of opset === 17n ? [...modes, modes] : [modes]) {
      const model = await tiny({
        opset,
        pooling: { pooling_mode, include_prompt },
        prompts: { document: "search document: ", query: "find " },
      });
      const outside = await TextSession.open(model, sessionOptions);
      const inside = await TextSession.open(model, sessionOptions, { poolsInGraph: true });
      for (const role of ["passage", "query"] as const) {
        const got = await vectorsOf(inside, texts, role);
        expect(got.length).toBe(
          texts.length * (Array.isArray(pooling_mode) ? modes.length : 1) * tinyHiddenSize,
        );
        expect(largestDifference(got, await vectorsOf(outside, texts, role))).toBeLessThan(1e-5);
      }
    }
  },
);

test("the bundled model pooled in its graph: as outside", async () => {
  const model = await readTextModel("all-MiniLM-L6-v2", {});
  const outside = await TextSession.open(model, sessionOptions);
  const inside = await TextSession.open(model, sessionOptions, { poolsInGraph: true });
  const difference = largestDifference(await vectorsOf(inside), await vectorsOf(outside));
  expect(difference).toBeLessThan(1e-5);
});

test("a Dense module after the pooling is applied in either case", async () => {
  const reference = readFileSync(new URL("./modules-reference.jsonl", import.meta.url), "utf8").split("\n");
  const chain = JSON.parse(reference.find((line) => line.includes("activation.Tanh")) as string).modules;
  const [pooling, dense] = chain as { type: string; config: object; weights: string }[];
  const modules = [
    { path: "", type: "sentence_transformers.models.Transformer" },
    { path: "1_Pooling", type: pooling?.type },
    { path: "2_Dense", type: dense?.type },
  ];
  const directory = await modelFolder({
    ...tinyModelFiles({ pooling_mode: "mean" }),
    "modules.json": modules,
    "2_Dense/config.json": dense?.config as object,
    "2_Dense/model.safetensors": Buffer.from(dense?.weights as string, "base64"),
    "onnx/model.onnx": tinyModel(),
  });
  const model = await readTextModel(directory, {});
  expect(model.dimensions).toBe(5);
  const outside = await vectorsOf(await TextSession.open(model, sessionOptions));
  const inside = await vectorsOf(await TextSession.open(model, sessionOptions, { poolsInGraph: true }));
  expect(outside.length).toBe(5 * texts.length);
  expect(largestDifference(inside, outside)).toBeLessThan(1e-5);
});

test("a prompt that is not pooled still changes what the text's tokens are put after", async () => {
  const session = await TextSession.open(
    await tiny({ pooling: { pooling_mode: "cls", include_prompt: false }, prompts: { query: "find " } }),
    sessionOptions,
  );
  // The tiny model's tokens don't see each other: what is left of "find bread" is "bread", whose first token counts.
  const query = await vectorsOf(session, ["bread"], "query");
  const [row] = splitRows(await session.prepare(["bread"], "query"));
  expect([...(row as Int32Array)]).toEqual([2, 101, 2424, 7852, 102]);
  const plain = await TextSession.open(await tiny({ pooling: { pooling_mode: "cls" } }), sessionOptions);
  expect(largestDifference(query, await vectorsOf(plain, ["bread"]))).toBeGreaterThan(0.01); // That one's is [CLS].
});

test.for([true, false])(
  "a text that a prompt leaves no room for fails, pooled in the graph: %s",
  async (poolsInGraph) => {
    const pooling = { pooling_mode: modes, include_prompt: false };
    const model = await tiny({ pooling, prompts: { query: "find the following text " } });
    const session = await TextSession.open({ ...model, tokensMax: 4 }, sessionOptions, { poolsInGraph });
    const { vectors, failed } = await session.run(await session.prepare(["bread"], "query"));
    expect(failed).toEqual([0]);
    expect(vectors.every((x) => x === 0)).toBe(true);
  },
);

test("a model that quantises what it computes is refused, with the reason and the mend", async () => {
  const error: MedleyError = await TextSession.open(await tiny({ quantises: true }), sessionOptions).then(
    () => expect.unreachable("it was opened"),
    (reason) => reason,
  );
  expect(error.code).toBe("model_unsupported");
  expect(error.message).toContain("would depend on the texts beside it");
  expect(error.mend).toContain("#quantized");
});

test("chosen on purpose it runs one text at a time, since its output depends on the batch", async () => {
  const model = { ...(await tiny({ quantises: true })), rowsPerBatchMax: 1 };
  const session = await TextSession.open(model, sessionOptions);
  const rows = await session.prepare(texts, "passage");
  await expect(session.run(rows)).rejects.toThrow("a batch is larger");
  const one = selectRows(splitRows(rows), [0]);
  expect((await session.run(one)).vectors).toHaveLength(tinyHiddenSize);

  const bare = await InferenceSession.create(tinyModel({ quantises: true }), sessionOptions);
  const statesOf = async (batch: Rows) => {
    const { feeds } = feedsOf(batch, 0, bare.inputNames);
    const { last_hidden_state } = await bare.run(feeds);
    return Float32Array.from(last_hidden_state?.data as Float32Array).subarray(0, tinyHiddenSize);
  };
  expect(largestDifference(await statesOf(one), await statesOf(rows))).toBeGreaterThan(1e-4);
});

const folder = process.env.MEDLEY_MODELS_CACHE;
const real = folder === undefined ? undefined : join(folder, "all-minilm-l6-v2-q.onnx");
const missing = real === undefined || !existsSync(real);
if (missing) {
  console.log(
    "skipped: the int8 export of all-MiniLM-L6-v2. Set MEDLEY_MODELS_CACHE to the folder that infra/reference/fetch-text.sh prints",
  );
}

test.skipIf(missing)(
  "the int8 export of all-MiniLM-L6-v2 is refused, and runs when chosen on purpose",
  async () => {
    const directory = await modelFolder({ "onnx/model.onnx": null });
    await mkdir(join(directory, "onnx"));
    await copyFile(real as string, join(directory, "onnx/model.onnx"));
    const model = await readTextModel(directory, {});
    await expect(TextSession.open(model, sessionOptions)).rejects.toMatchObject({
      code: "model_unsupported",
    });
    const chosen = await TextSession.open({ ...model, rowsPerBatchMax: 1 }, sessionOptions);
    expect(await vectorsOf(chosen, ["bread"])).toHaveLength(384);
  },
);
