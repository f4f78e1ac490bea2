import { appendFileSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { encodeOnnx, type OnnxTensor } from "../onnx/index.ts";
import { ModelFiles } from "./files.ts";
import { HubServer, type ServedModel, sha256, type Trouble } from "./hub-server.fixture.ts";
import { locateModel } from "./locate.ts";
import { emptyModel, temporaryFolder } from "./model-folder.fixture.ts";
import { type PullOptions, pullModel } from "./pull.ts";

const revision = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf";
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const weights = Buffer.alloc(3_000_000, "weights ");

/** A model whose weights are in `location`, as `onnx.save_model` leaves it. */
function modelWithData(location: string): Uint8Array {
  const external = { key: "location", value: location };
  const tensor: OnnxTensor = { name: "w", dims: [1], dataType: 1, externalData: [external], dataLocation: 1 };
  const graph = { name: "g", node: [], initializer: [tensor], input: [], output: [] };
  return encodeOnnx({ irVersion: 8, graph, opsetImport: [{ version: 17n }] });
}

const needed = {
  "onnx/model.onnx": modelWithData("model.onnx_data"),
  "onnx/model.onnx_data": weights,
  "config.json": json({ hidden_size: 2 }),
  "tokenizer.json": json({ model: "x".repeat(2_000) }),
  "modules.json": json([
    { path: "", type: "sentence_transformers.models.Transformer" },
    { path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
    { path: "2_Dense", type: "sentence_transformers.models.Dense" },
  ]),
  "1_Pooling/config.json": json({ pooling_mode: "mean" }),
  "2_Dense/config.json": json({ out_features: 2 }),
  "2_Dense/model.safetensors": Buffer.alloc(5_000, 7),
};
const served: ServedModel = {
  revision,
  files: {
    ...needed,
    "README.md": Buffer.from("# Tiny"),
    "model.safetensors": Buffer.alloc(9_000, 1),
    "pytorch_model.bin": Buffer.alloc(9_000, 2),
    "2_Dense/pytorch_model.bin": Buffer.alloc(5_000, 7),
    "onnx/model_fp16.onnx": emptyModel,
  },
};

interface Here {
  readonly hub: HubServer;
  readonly cache: string;
  readonly repository: string;
  pull(name?: string, options?: Partial<PullOptions>): ReturnType<typeof pullModel>;
  environment: Record<string, string>;
}

async function here(
  options: { files?: Record<string, Uint8Array>; token?: string; trouble?: Trouble } = {},
): Promise<Here> {
  const model = { revision, files: options.files ?? served.files };
  const hub = await HubServer.open({ "acme/tiny": model }, options.token ? { token: options.token } : {});
  onTestFinished(() => hub[Symbol.asyncDispose]());
  hub.trouble = options.trouble ?? {};
  const cache = await temporaryFolder();
  const environment: Record<string, string> = { HF_HUB_CACHE: cache, HF_ENDPOINT: `${hub.endpoint}/` };
  const pull: Here["pull"] = (name = "acme/tiny", given = {}) => pullModel(name, { environment, ...given });
  return { hub, cache, repository: join(cache, "models--acme--tiny"), pull, environment };
}

const hashesOf = (files: Readonly<Record<string, Uint8Array>>) =>
  Object.fromEntries(
    Object.entries(files).map(([path, bytes]) => [path, { sha256: sha256(bytes), bytes: bytes.length }]),
  );

test("a pull brings what the model needs and no more, as huggingface_hub lays it out", async () => {
  const { hub, pull, repository, environment } = await here();
  const progress: { done: number; total: number }[] = [];
  const pulled = await pull("acme/tiny", { onProgress: (state) => progress.push(state) });
  expect(pulled).toEqual({ revision, files: hashesOf(needed) });
  const total = Object.values(needed).reduce((sum, { length }) => sum + length, 0);
  expect(progress.at(-1)).toEqual({ done: total, total });
  expect(await readFile(join(repository, "refs", "main"), "utf8")).toBe(revision);
  const data = join(repository, "snapshots", revision, "onnx", "model.onnx_data");
  expect(await readlink(data)).toBe(`../../../blobs/${sha256(weights)}`);
  expect((await readdir(join(repository, "blobs"))).length).toBe(Object.keys(needed).length);
  const located = await locateModel("acme/tiny", environment, {
    lock: {
      file: undefined,
      models: { "acme/tiny": pulled },
      trained: {},
      assigned: { spaces: {}, weights: {}, classes: {}, dimensions: {} },
    },
  });
  await ModelFiles.open(located);

  hub.requests.length = 0;
  expect(await pull("acme/tiny", { locked: pulled })).toEqual(pulled);
  expect(hub.requests.filter((one) => one.includes("/resolve/"))).toEqual([]);
  await hub[Symbol.asyncDispose]();
  Object.assign(environment, { HF_HUB_OFFLINE: "1" });
  expect(await pull()).toEqual(pulled);
});

test("another ONNX file is another model of the same repository", async () => {
  const { pull } = await here();
  const { files } = await pull("acme/tiny#fp16");
  expect(Object.keys(files)).toContain("onnx/model_fp16.onnx");
  expect(Object.keys(files)).not.toContain("onnx/model.onnx_data");
  const missing = await pull("acme/tiny#int8").catch((error) => error);
  expect(missing).toMatchObject({ code: "model_not_found" });
  expect(missing.mend).toContain("onnx/model_fp16.onnx");
});

test.for(["v1", revision])("revision %s", async (given) => {
  const { pull, repository, hub } = await here();
  expect((await pull("acme/tiny", { revision: given })).revision).toBe(revision);
  const refs = await readdir(join(repository, "refs")).catch(() => []);
  expect(refs).toEqual(given === "v1" ? ["v1"] : []);
  expect(hub.requests.some((one) => one.includes("/revision/v1"))).toBe(given === "v1");
});

test("a cut connection is continued by a range of the rest", async () => {
  const { hub, pull } = await here({
    trouble: { cutAfterBytes: { path: "onnx/model.onnx_data", bytes: 2_000_000 } },
  });
  expect((await pull()).files).toEqual(hashesOf(needed));
  const ranges = hub.requests.filter((one) => /^GET \/[0-9a-f]{64}.*model\.onnx_data bytes=[1-9]/.test(one));
  expect(ranges).toHaveLength(1);
  const [, from, to] = /bytes=(\d+)-(\d+)$/.exec(ranges[0] as string) as unknown as [string, string, string];
  expect(Number(from)).toBeGreaterThan(0);
  expect(Number(from)).toBeLessThanOrEqual(2_000_000);
  expect(Number(to)).toBe(weights.length - 1);
});

/** As a process that was killed leaves it. */
async function leaveIncomplete(repository: string, bytes: Uint8Array): Promise<string> {
  const incomplete = join(repository, "blobs", `${sha256(weights)}.incomplete`);
  await mkdir(dirname(incomplete), { recursive: true });
  await writeFile(incomplete, bytes);
  return incomplete;
}

test.for([
  ["the beginning of the file", weights.subarray(0, 1_000_000), "bytes=1000000-2999999"],
  ["all of the file", weights, null],
  ["other bytes", Buffer.alloc(1_000_000, 9), "bytes=1000000-2999999"],
  ["more than the file", Buffer.alloc(4_000_000, 9), null],
] as const)("a download that another process left with %s is made good", async ([, left, range]) => {
  const { hub, pull, repository } = await here();
  const incomplete = await leaveIncomplete(repository, left);
  const progress: number[] = [];
  const { files } = await pull("acme/tiny", { onProgress: ({ done }) => progress.push(done) });
  expect(files).toEqual(hashesOf(needed));
  const ranges = hub.requests.flatMap((one) => /model\.onnx_data (bytes=[1-9].*)$/.exec(one)?.[1] ?? []);
  expect([...new Set(ranges)]).toEqual(range === null ? [] : [range]);
  await expect(stat(incomplete)).rejects.toMatchObject({ code: "ENOENT" });
  expect(progress.at(-1)).toBe(Object.values(needed).reduce((sum, { length }) => sum + length, 0));
});

test("a server that sends the whole file for a range is no trouble", async () => {
  const { pull, repository } = await here({ trouble: { ignoresRange: "onnx/model.onnx_data" } });
  await leaveIncomplete(repository, weights.subarray(0, 10));
  expect((await pull()).files).toEqual(hashesOf(needed));
});

test("two pulls at once: what one of them brings is right, whatever becomes of the other", async () => {
  const { pull, repository } = await here();
  for (const ended of await Promise.allSettled([pull(), pull()])) {
    if (ended.status === "rejected") expect(ended.reason).toMatchObject({ code: "hub_unavailable" });
    else expect(ended.value.files).toEqual(hashesOf(needed));
  }
  expect((await pull()).files).toEqual(hashesOf(needed));
  const snapshot = join(repository, "snapshots", revision);
  for (const [path, bytes] of Object.entries(needed)) {
    expect(sha256(await readFile(join(snapshot, path)))).toBe(sha256(bytes));
  }
});

test("a file that another process writes to meanwhile is not taken", async () => {
  const { pull, repository } = await here();
  const incomplete = join(repository, "blobs", `${sha256(weights)}.incomplete`);
  let isWritten = false;
  const onProgress = ({ done }: { done: number }) => {
    if (done < 1_500_000 || isWritten) return;
    isWritten = true;
    appendFileSync(incomplete, "another");
  };
  const error = await pull("acme/tiny", { onProgress }).catch((reason) => reason);
  expect(error).toMatchObject({ code: "hub_unavailable" });
  expect(error.message).toContain("another process");
  expect((await pull()).files).toEqual(hashesOf(needed));
});

test("a pull that is interrupted keeps what it has", async () => {
  const { hub, pull, repository } = await here();
  const controller = new AbortController();
  const onProgress = ({ done }: { done: number }) => {
    if (done > 1_500_000) controller.abort();
  };
  await expect(pull("acme/tiny", { onProgress, signal: controller.signal })).rejects.toThrow(/abort/i);
  const { size } = await stat(join(repository, "blobs", `${sha256(weights)}.incomplete`));
  expect(size).toBeGreaterThan(0);
  hub.requests.length = 0;
  expect((await pull()).files).toEqual(hashesOf(needed));
  expect(hub.requests.some((one) => one.includes(`bytes=${size}-`))).toBe(true);
});

test.for(["onnx/model.onnx_data", "config.json"])(
  "wrong bytes of %s are refused and not kept",
  async (path) => {
    const { hub, pull, repository } = await here({ trouble: { wrong: path } });
    const error = await pull().catch((reason) => reason);
    expect(error).toMatchObject({ code: "model_damaged" });
    expect(error.message).toContain(path);
    await expect(stat(join(repository, "snapshots", revision, path))).rejects.toMatchObject({
      code: "ENOENT",
    });
    hub.trouble = {};
    expect((await pull()).files).toEqual(hashesOf(needed));
  },
);

test("a damaged file of the cache is fetched again; offline it is said", async () => {
  const { pull, repository, environment } = await here();
  await pull();
  await writeFile(join(repository, "blobs", sha256(weights)), "damaged");
  Object.assign(environment, { HF_HUB_OFFLINE: "1" });
  await expect(pull()).rejects.toMatchObject({ code: "model_damaged" });
  Object.assign(environment, { HF_HUB_OFFLINE: "" });
  expect((await pull()).files).toEqual(hashesOf(needed));
});

test("a lock that says otherwise of the same commit is not overwritten", async () => {
  const { pull } = await here();
  const locked = { revision, files: { "config.json": { sha256: "0".repeat(64), bytes: 1 } } };
  await expect(pull("acme/tiny", { locked })).rejects.toMatchObject({ code: "model_damaged" });
  const older = { ...locked, revision: "0".repeat(40) };
  expect((await pull("acme/tiny", { locked: older, revision: "main" })).revision).toBe(revision);
});

test.for([
  [{ code: 503, times: 2 }, null],
  [{ code: 429, times: 1, retryAfter: "0" }, null],
  [{ code: 500, times: 99 }, "hub_unavailable"],
  [{ code: 403, times: 99 }, "model_not_found"],
] as const)("answers of %j: %s", async ([status, code]) => {
  const { pull } = await here({ trouble: { status } });
  if (code === null) expect((await pull()).revision).toBe(revision);
  else await expect(pull()).rejects.toMatchObject({ code });
});

test("a private model needs the token, which goes to the hub alone and into no message", async () => {
  const { hub, pull, environment, cache } = await here({ token: "secret-token" });
  const without = await pull().catch((error) => error);
  expect(without).toMatchObject({ code: "model_not_found", mend: expect.stringContaining("HF_TOKEN") });
  const wrong = await pull("acme/tiny", { environment: { ...environment, HF_TOKEN: "wrong-token" } }).catch(
    (e) => e,
  );
  expect(`${wrong.message}${wrong.mend}`).not.toContain("wrong-token");
  expect(wrong.mend).toContain("token");
  await writeFile(join(cache, "token"), "secret-token\n");
  const path = { ...environment, HF_TOKEN_PATH: join(cache, "token") };
  expect((await pull("acme/tiny", { environment: path })).revision).toBe(revision);
  expect(hub.leakedTokens).toEqual([]);
  await rm(join(cache, "models--acme--tiny"), { recursive: true });
  expect((await pull("acme/tiny", { environment: { ...environment, HF_HOME: cache } })).revision).toBe(
    revision,
  );
});

test("what the hub does not have, and what it can't be asked", async () => {
  const { pull, environment, hub } = await here();
  await expect(pull("acme/none")).rejects.toMatchObject({ code: "model_not_found" });
  await expect(pull("acme/tiny", { revision: "v2" })).rejects.toMatchObject({ code: "model_not_found" });
  for (const name of ["./folder", "all-MiniLM-L6-v2", "a b", "../up"]) {
    await expect(pull(name)).rejects.toMatchObject({ code: "usage" });
  }
  hub.requests.length = 0;
  const offline = { ...environment, HF_HUB_OFFLINE: "1" };
  await expect(pull("acme/tiny", { environment: offline })).rejects.toMatchObject({
    code: "model_not_found",
  });
  expect(hub.requests).toEqual([]);
  const away = { ...environment, HF_ENDPOINT: "http://127.0.0.1:9" };
  await expect(pull("acme/tiny", { environment: away })).rejects.toMatchObject({ code: "hub_unavailable" });
});

test.for([
  ["../config.json", "model_not_found"],
  ["/etc/passwd", "model_not_found"],
  ["missing.onnx_data", "model_not_found"],
] as const)("weights in %s are not fetched", async ([location, code]) => {
  const { pull } = await here({ files: { ...served.files, "onnx/model.onnx": modelWithData(location) } });
  await expect(pull()).rejects.toMatchObject({ code });
});

test.for(["../../../evil.json", "/evil.json", "a/../../evil.json"])(
  "a listed %s writes nothing",
  async (path) => {
    const modules = json([{ path: dirname(path), type: "acme.models.Dense" }]);
    const files = { ...served.files, "modules.json": modules, [path]: json({}) };
    const { pull } = await here({ files });
    const pulled = await pull();
    expect(Object.keys(pulled.files).filter((one) => one.includes("evil"))).toEqual([]);
  },
);

test("offline, a link out of the cache is no file of the model", async () => {
  const { pull, repository, environment, cache } = await here();
  await pull();
  Object.assign(environment, { HF_HUB_OFFLINE: "1" });
  const pointer = join(repository, "snapshots", revision, "onnx", "model.onnx_data");
  await writeFile(join(cache, "elsewhere"), weights);
  await rm(pointer);
  await symlink(join(cache, "elsewhere"), pointer);
  await expect(pull()).rejects.toMatchObject({ code: "model_not_found" });
});
