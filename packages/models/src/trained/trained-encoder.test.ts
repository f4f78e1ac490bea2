import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Encoder, MedleyError } from "@medley/core";
import { beforeEach, expect, test } from "vitest";
import { emptyLock, type ModelLock } from "../artefact/lock.ts";
import { temporaryFolder } from "../artefact/model-folder.fixture.ts";
import { type ModelRuntime, openModelRuntime } from "../runtime/model-runtime.ts";
import { bagModel, tinyNode2vec, writeArtefact } from "./tiny-artefact.fixture.ts";
import { artefactsFolder } from "./trained-model.ts";

const space = { space: "papers.walks", kind: "node2vec", dimensions: 2 } as const;
const half = Math.SQRT1_2;
let lockFile: string;
let lock: ModelLock;

beforeEach(async () => {
  lockFile = join(await temporaryFolder(), "medley.lock.json");
  lock = await writeArtefact(lockFile, space.space, tinyNode2vec());
});

async function withEncoder<Answer>(
  use: (encoder: Encoder, runtime: ModelRuntime) => Promise<Answer>,
  given: { lock?: ModelLock; loads?: boolean } = {},
): Promise<Answer> {
  await using runtime = openModelRuntime({ environment: {}, threads: 1, lock, ...given });
  return await use(await runtime.trainedEncoder(space), runtime);
}

async function vectors(encoder: Encoder, values: readonly unknown[]): Promise<(number[] | string)[]> {
  const results = await encoder.encode(values);
  return results.map((result) => (result.ok ? [...result.value].map(rounded) : result.failure.message));
}

const rounded = (x: number) => Math.round(x * 1e6) / 1e6;

test("a packet's values are one call of the model; each has its own vector, of unit length or zero", async () => {
  await withEncoder(async (encoder, runtime) => {
    const values = [
      { id: "a", edges: { c: 1 } },
      { id: "c", edges: {} },
      { id: "new", edges: { a: 3, b: 1, gone: 9 } },
      { id: "lonely", edges: { gone: 1 } },
      ...Array.from({ length: 96 }, () => ({ id: "b", edges: {} })),
    ];
    const found = await vectors(encoder, values);
    // Of the unseen node: (3 x a + b) / 4 = [3/4, 1/2], scaled.
    expect(found.slice(0, 5)).toEqual([
      [1, 0],
      [-half, -half].map(rounded),
      [3 / Math.sqrt(13), 2 / Math.sqrt(13)].map(rounded),
      [0, 0],
      [0, 1],
    ]);
    expect(runtime.counters.modelCalls).toBe(1);
    expect(runtime.counters.inputs).toBe(99);
  });
});

test("a search names a node or its edges; anything else is refused with the forms", async () => {
  await withEncoder(async (encoder) => {
    expect([...(await encoder.encodeQuery("b"))]).toEqual([0, 1]);
    expect([...(await encoder.encodeQuery({ edges: { a: 2 } }))]).toEqual([1, 0]);
    expect([...(await encoder.encodeQuery("nobody"))]).toEqual([0, 0]);
    for (const query of [7, { edges: { a: -1 } }, { edges: "a" }, null]) {
      await expect(encoder.encodeQuery(query)).rejects.toMatchObject({
        code: "query_invalid",
        mend: expect.stringContaining('{"edges"'),
      });
    }
  });
});

test("the identity is of what decides vectors: not of the run, but of table, vocabulary and manifest", async () => {
  const identity = (given: ModelLock) =>
    withEncoder(async (encoder) => encoder.identity, { lock: given, loads: false });
  const tiny = tinyNode2vec();
  const file = join(await temporaryFolder(), "medley.lock.json");
  const write = (change: Partial<Parameters<typeof writeArtefact>[2]>) =>
    writeArtefact(file, space.space, { ...tiny, ...change });
  const first = await identity(lock);
  expect(await identity(await write({ run: "run-2" }))).toBe(first);
  const nodes = new TextEncoder().encode('["a","c","b"]');
  expect(await identity(await write({ files: { ...tiny.files, "nodes.json": nodes } }))).not.toBe(first);
  expect(await identity(await write({ manifest: { ...tiny.manifest, p: 2 } }))).not.toBe(first);
  const model = bagModel([
    [1, 0],
    [0, 2],
    [-3, -2],
  ]);
  expect(await identity(await write({ files: { ...tiny.files, "model.onnx": model } }))).not.toBe(first);
});

test("an untrained space is refused with the command that trains it", async () => {
  for (const given of [
    emptyLock,
    {
      file: lockFile,
      models: {},
      trained: {},
      assigned: { spaces: {}, weights: {}, classes: {}, dimensions: {} },
    },
  ]) {
    await expect(withEncoder(async () => {}, { lock: given })).rejects.toMatchObject({
      code: "model_not_found",
      message: expect.stringContaining("space papers.walks is not trained"),
      mend: expect.stringContaining("run `medley train papers.walks`"),
    });
  }
});

test("what was changed, lost or made for another configuration is refused before it serves", async () => {
  const failureOf = (given: ModelLock, change: object = {}) => {
    return (async () => {
      await using runtime = openModelRuntime({ environment: {}, threads: 1, lock: given });
      await runtime.trainedEncoder({ ...space, ...change });
    })().catch((error: MedleyError) => error);
  };
  const file = join(await temporaryFolder(), "medley.lock.json");
  const written = await writeArtefact(file, space.space, tinyNode2vec());
  const folder = join(artefactsFolder(file, space.space), "run-1");
  expect(await failureOf(written, { dimensions: 3 })).toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining(
      "configured as node2vec with 3 dimensions, but its artefact run-1 is node2vec with 2",
    ),
  });
  expect(await failureOf(written, { kind: "words" })).toMatchObject({ code: "config_invalid" });
  const nodes = join(folder, "nodes.json");
  const before = await readFile(nodes);
  await writeFile(nodes, '["a","b","d"]');
  expect(await failureOf(written)).toMatchObject({
    code: "model_damaged",
    mend: expect.stringContaining("medley models use papers.walks RUN"),
  });
  await writeFile(nodes, before);
  await rm(join(folder, "model.onnx"));
  expect(await failureOf(written)).toMatchObject({ code: "model_damaged" });
  const wide = { ...tinyNode2vec(), manifest: { kind: "node2vec", dimensions: 3 } as const };
  expect(await failureOf(await writeArtefact(file, space.space, wide), { dimensions: 3 })).toMatchObject({
    code: "model_unsupported",
    message: expect.stringContaining('"embedding" is not float32 [batch, 3]'),
  });
});
