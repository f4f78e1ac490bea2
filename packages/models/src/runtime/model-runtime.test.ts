import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { EncodeResult } from "@medley/core";
import { afterAll, expect, test } from "vitest";
import { locateModel } from "../artefact/locate.ts";
import { modelFolder, temporaryFolder } from "../artefact/model-folder.fixture.ts";
import { openTextEncoder } from "../open-text-encoder.ts";
import { openModelRuntime } from "./model-runtime.ts";

const name = "all-MiniLM-L6-v2";
const runtime = openModelRuntime({ threads: 2, environment: {} });
const encoder = await runtime.textEncoder(name);
afterAll(() => runtime.close());

function vectors(results: readonly EncodeResult[]): Float32Array[] {
  return results.map((result) => {
    if (!result.ok) throw new Error(result.failure.message);
    return result.value;
  });
}
function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, index) => sum + x * (b[index] as number), 0);
}
function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((largest, x, index) => Math.max(largest, Math.abs(x - (b[index] as number))), 0);
}

const bundled = (await locateModel(name, {})).directory;
const reference = JSON.parse(await readFile(join(bundled, "reference.json"), "utf8")).vectors.map(
  ({ text, vector }: { text: string; vector: string }) => ({
    text,
    vector: new Float32Array(Uint8Array.from(Buffer.from(vector, "base64")).buffer),
  }),
) as { text: string; vector: Float32Array }[];

test(`vectors are those of the float32 original, over ${reference.length} texts (cosine >= .998)`, async () => {
  expect(reference.length).toBeGreaterThanOrEqual(24);
  const ours = vectors(await encoder.encode(reference.map(({ text }) => text)));
  reference.forEach(({ text, vector }, index) => {
    expect(ours[index]).toHaveLength(384);
    expect(cosine(ours[index] as Float32Array, ours[index] as Float32Array), text).toBeCloseTo(1, 5);
    expect(cosine(ours[index] as Float32Array, vector), text).toBeGreaterThanOrEqual(0.998);
  });
});

test("a text has the same vector alone and beside longer ones, as a record and as a query", async () => {
  const texts = reference.map(({ text }) => text);
  const together = vectors(await encoder.encode(texts));
  // One batch of unlike lengths, which the encoder itself would not make.
  const model = await runtime.textModel(name);
  const { values, lengths } = await model.prepare(["food", "A film. ".repeat(100), "bread and butter"]);
  const mixed = (await model.run({ values, lengths })).vectors;
  const [food, , bread] = vectors(await encoder.encode(["food"])).concat(
    vectors(await encoder.encode(["A film. ".repeat(100)])),
    vectors(await encoder.encode(["bread and butter"])),
  );
  expect(largestDifference(mixed.subarray(0, 384), food as Float32Array)).toBeLessThanOrEqual(1e-6);
  expect(largestDifference(mixed.subarray(768), bread as Float32Array)).toBeLessThanOrEqual(1e-6);
  for (const [index, text] of texts.entries()) {
    const query = await encoder.encodeQuery(text);
    expect(largestDifference(query, together[index] as Float32Array), text).toBeLessThanOrEqual(1e-6);
  }
});

test("a text without tokens says nothing: all zero, and no call of the model", async () => {
  const before = runtime.counters;
  const results = await encoder.encode(["", " \t\n", "\u0000\u200b"]);
  for (const vector of vectors(results)) expect(vector).toEqual(new Float32Array(384));
  expect(await encoder.encodeQuery(" ")).toEqual(new Float32Array(384));
  expect(runtime.counters).toEqual(before);
  expect(await encoder.encode([])).toEqual([]);
});

test("results are in the order of the texts, through many batches and windows", async () => {
  const texts = Array.from({ length: 1_300 }, (_, i) =>
    i % 100 === 7 ? `film number ${i} ` : i % 3 ? "food" : "",
  );
  const results = vectors(await encoder.encode(texts));
  const [food] = vectors(await encoder.encode(["food"]));
  expect(results).toHaveLength(texts.length);
  for (const [index, text] of texts.entries()) {
    if (text === "food")
      expect(largestDifference(results[index] as Float32Array, food as Float32Array)).toBeLessThan(1e-6);
    else if (text === "") expect(results[index]?.some((x) => x !== 0)).toBe(false);
    else
      expect(largestDifference(results[index] as Float32Array, await encoder.encodeQuery(text))).toBeLessThan(
        1e-6,
      );
  }
});

test("a long text is cut at the model's limit", async () => {
  const long = "A violinist falls in love with a conductor. ".repeat(1_000);
  const [cut, longer] = vectors(await encoder.encode([long, `${long} Then a war begins and everyone dies.`]));
  expect(cut).toEqual(longer);
});

test("the calling thread stays free while models run", async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  await encoder.encode(
    Array.from({ length: 64 }, (_, i) => `Scene ${i}: the rain falls on the city. `.repeat(10)),
  );
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(10);
});

test("concurrent calls share the threads, and every one is answered", async () => {
  const calls = Array.from({ length: 20 }, (_, i) => encoder.encode([`one ${i}`, `two ${i}`]));
  const queries = Array.from({ length: 20 }, (_, i) => encoder.encodeQuery(`one ${i}`));
  const [answers, queried] = [await Promise.all(calls), await Promise.all(queries)];
  answers.forEach((results, index) => {
    const difference = largestDifference(vectors(results)[0] as Float32Array, queried[index] as Float32Array);
    expect(difference).toBeLessThanOrEqual(1e-6);
  });
});

test("two encoders of one model are one model, and work is counted", async () => {
  const second = await runtime.textEncoder("sentence-transformers/all-MiniLM-L6-v2");
  expect(second.identity).toBe(encoder.identity);
  const before = runtime.counters;
  await second.encode(["food", "a loaf of bread", ""]);
  await second.encodeQuery("food");
  const after = runtime.counters;
  expect(after.inputs - before.inputs).toBe(3);
  expect(after.modelCalls - before.modelCalls).toBe(2);
  expect(after.usefulValues - before.usefulValues).toBe(3 + 6 + 3);
  expect(after.paddedValues - before.paddedValues).toBe(2 * 6 + 3);
});

test("who gives up gets the reason", async () => {
  const giveUp = new AbortController();
  const encoding = encoder.encode(Array(200).fill("the rain falls on the city. ".repeat(20)), giveUp.signal);
  giveUp.abort(new Error("enough"));
  await expect(encoding).rejects.toThrow("enough");
  await expect(encoder.encodeQuery("food", giveUp.signal)).rejects.toThrow("enough");
});

test("a query that is not a text is invalid", async () => {
  await expect(encoder.encodeQuery(5 as unknown as string)).rejects.toMatchObject({ code: "query_invalid" });
});

test("cls pooling, prompts and a shorter limit come from the model's files", async () => {
  const cls = { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false };
  const prompts = { prompts: { query: "query: ", passage: "passage: " } };
  const clsFolder = await modelFolder({ "1_Pooling/config.json": cls }, { weights: true });
  const promptFolder = await modelFolder({ "config_sentence_transformers.json": prompts }, { weights: true });
  const shortFolder = await modelFolder(
    { "sentence_bert_config.json": { max_seq_length: 4 } },
    { weights: true },
  );
  const [byCls, prompted, short] = [
    await runtime.textEncoder(clsFolder),
    await runtime.textEncoder(promptFolder),
    await runtime.textEncoder(shortFolder),
  ];
  const plain = await encoder.encodeQuery("bread");
  expect(cosine(await byCls.encodeQuery("bread"), plain)).toBeLessThan(0.99);
  expect(await prompted.encodeQuery("bread")).toEqual(await encoder.encodeQuery("query: bread"));
  expect(vectors(await prompted.encode(["bread"]))[0]).toEqual(await encoder.encodeQuery("passage: bread"));
  expect(await short.encodeQuery("bread and butter and jam")).toEqual(await encoder.encodeQuery("bread and"));
});

test("a model of the hub is found in its cache on disk, where the lock pins it", async () => {
  const hub = await temporaryFolder();
  const revision = "0123456789".repeat(4);
  const snapshot = join(hub, "models--acme--tiny", "snapshots", revision);
  await modelFolder({}, { directory: snapshot, weights: true });
  const { files } = JSON.parse(await readFile(join(bundled, "manifest.json"), "utf8"));
  const options = { model: "acme/tiny", threads: 1, environment: { HF_HUB_CACHE: hub } };
  const lock = {
    file: undefined,
    models: { "acme/tiny": { revision, files } },
    trained: {},
    assigned: { spaces: {}, weights: {}, classes: {}, dimensions: {} },
  };
  await using fromHub = await openTextEncoder({ ...options, lock });
  expect(await fromHub.encodeQuery("bread")).toEqual(await encoder.encodeQuery("bread"));
  await expect(openTextEncoder(options)).rejects.toMatchObject({ code: "model_not_found" });
});

test.for([
  ["weights that are none", { "onnx/model.onnx": "no weights" }, "model_unsupported"],
  [
    "a config of another size",
    { "config.json": { hidden_size: 768, vocab_size: 30522 } },
    "model_unsupported",
  ],
  ["no such model", "./no/such/folder", "model_not_found"],
] as const)("%s: the opening fails, other models go on", async ([, files, code]) => {
  const folder = typeof files === "string" ? files : await modelFolder(files, { weights: true });
  await expect(runtime.textEncoder(folder)).rejects.toMatchObject({ code });
  expect(vectors(await encoder.encode(["food"]))).toHaveLength(1);
});

test("a closed runtime takes nothing and says so", async () => {
  const own = openModelRuntime({ threads: 1, environment: {} });
  const closed = await own.textEncoder(name);
  await own.close();
  expect(await closed.encode(["food"])).toMatchObject([
    { ok: false, failure: { code: "encoder_unavailable" } },
  ]);
  await expect(closed.encodeQuery("food")).rejects.toMatchObject({ code: "encoder_unavailable" });
  await expect(own.textEncoder(name)).rejects.toMatchObject({ code: "encoder_unavailable" });
});

test("the bundled model's folder is whole", async () => {
  const copy = await temporaryFolder();
  await cp(bundled, copy, { recursive: true });
  await using own = openModelRuntime({ threads: 1, environment: {} });
  expect((await own.textEncoder(copy)).identity).toBe(encoder.identity);
});
