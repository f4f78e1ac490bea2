import { existsSync } from "node:fs";
import { cp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { locateModel } from "@medley/models";
import { HubServer, sha256 } from "@medley/models/hub-server";
import { encodeOnnx } from "@medley/models/onnx";
import { expect, onTestFinished, test } from "vitest";
import { configOf, jsonLines, placesOf, until, Workplace } from "./medley.fixture.ts";

const revision = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf";
const bundled = (await locateModel("all-MiniLM-L6-v2", {})).directory;
const needed = [
  "1_Pooling/config.json",
  "config.json",
  "modules.json",
  "onnx/model.onnx",
  "reference.json",
  "sentence_bert_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
];
const files = Object.fromEntries(
  await Promise.all(needed.map(async (path) => [path, await readFile(join(bundled, path))] as const)),
);
const weights = files["onnx/model.onnx"] as Uint8Array;
const half = encodeOnnx({
  irVersion: 8,
  graph: { name: "half", node: [], initializer: [], input: [], output: [] },
  opsetImport: [{ version: 17n }],
});

interface Here {
  readonly hub: HubServer;
  readonly workplace: Workplace;
  readonly environment: Record<string, string>;
  readonly cache: string;
  medley(...args: string[]): ReturnType<Workplace["runJson"]>;
}

/** A workplace whose one text space uses a model of a hub on loopback. */
async function here(options: { token?: string; model?: string } = {}): Promise<Here> {
  const model = options.model ?? "acme/minilm";
  const workplace = new Workplace(configOf({}, { model }));
  onTestFinished(() => workplace[Symbol.asyncDispose]());
  const served = {
    revision,
    files: { ...files, "README.md": Buffer.from("#"), "onnx/model_fp16.onnx": half },
  };
  const hub = await HubServer.open({ "acme/minilm": served }, options.token ? { token: options.token } : {});
  onTestFinished(() => hub[Symbol.asyncDispose]());
  const cache = workplace.path("cache");
  const environment: Record<string, string> = {
    HF_HUB_CACHE: cache,
    HF_ENDPOINT: hub.endpoint,
    HF_HOME: workplace.path("home"),
    HF_TOKEN: "",
    HF_HUB_OFFLINE: "",
  };
  const medley = (...args: string[]) => workplace.runJson(args, { environment });
  return { hub, workplace, environment, cache, medley };
}

const modelCheck = (doctor: { data: { name: string; ok: boolean; detail: string }[] }) =>
  doctor.data.find(({ name }) => name === "models") as { ok: boolean; detail: string };

test("a model of the hub: refused, pulled, pinned, used without the hub, damaged, removed", async () => {
  const { hub, workplace, environment, cache, medley } = await here();
  const refused = modelCheck(await medley("doctor"));
  expect(refused.ok).toBe(false);
  expect(refused.detail).toContain('run "medley models pull acme/minilm"');
  const before = await medley("models", "list");
  expect(before.exitCode).toBe(1);
  expect(before.data.models).toMatchObject([
    { name: "all-MiniLM-L6-v2", origin: "bundled", state: "ok" },
    { name: "thin-resnet-50", origin: "bundled", state: "ok" },
    { name: "ge2e-voice", origin: "bundled", state: "ok" },
    { name: "acme/minilm", origin: "hub", state: "not pinned", usedBy: ["places.title"] },
  ]);

  const pulled = await medley("models", "pull");
  const bytes = needed.reduce((sum, path) => sum + (files[path]?.length ?? 0), 0);
  expect(pulled.exitCode).toBe(0);
  expect(pulled.data.models).toEqual([{ model: "acme/minilm", revision, files: needed.length, bytes }]);
  const lock = JSON.parse(await readFile(workplace.path("medley.lock.json"), "utf8"));
  expect(lock.lockVersion).toBe(5);
  expect(lock.models["acme/minilm"].revision).toBe(revision);
  expect(Object.keys(lock.models["acme/minilm"].files)).toEqual([...needed].sort());
  expect(lock.models["acme/minilm"].files["onnx/model.onnx"]).toEqual({
    sha256: sha256(weights),
    bytes: weights.length,
  });

  await hub[Symbol.asyncDispose]();
  workplace.write("places.jsonl", jsonLines(placesOf(3)));
  expect((await medley("backfill", "places.jsonl")).data).toMatchObject({ indexed: 3, deadLetters: 0 });
  const verified = await workplace.run(["models", "verify", "acme/minilm"], { environment });
  expect(verified.code).toBe(0);
  expect(verified.stdout).toMatch(/cosine min 0\.99\d+, mean 0\.99\d+ over 24 texts \(at least 0\.998\)/);
  const listed = await medley("models", "list");
  expect(listed.exitCode).toBe(0);
  expect(listed.data.models[3]).toMatchObject({ state: "ok", bytes, dtype: "fp32", revision });

  const blob = join(cache, "models--acme--minilm", "blobs", sha256(weights));
  const damaged = Buffer.from(weights);
  damaged[1_000_000] = (damaged[1_000_000] as number) ^ 1;
  await writeFile(blob, damaged);
  expect(modelCheck(await medley("doctor")).detail).toContain("expected sha256");
  const found = await medley("models", "verify", "acme/minilm");
  expect(found.exitCode).toBe(1);
  expect(found.data.models[0].error).toMatchObject({ code: "model_damaged" });
  expect(found.data.models[0].error.mend).toContain("medley models pull acme/minilm");

  const removed = await medley("models", "remove", "acme/minilm");
  expect(removed.data).toEqual({ name: "acme/minilm", bytesFreed: expect.any(Number), wasPinned: true });
  expect(removed.data.bytesFreed).toBeGreaterThanOrEqual(bytes);
  expect(existsSync(join(cache, "models--acme--minilm"))).toBe(false);
  expect(JSON.parse(await readFile(workplace.path("medley.lock.json"), "utf8")).models).toEqual({});
  expect((await medley("models", "remove", "acme/minilm")).error?.code).toBe("not_found");
});

test("Ctrl-C while a model comes: what is there is kept, and the next pull continues it", async () => {
  const { hub, workplace, environment, cache } = await here();
  hub.trouble = { holdAfterBytes: { path: "onnx/model.onnx", bytes: 10_000_000 } };
  const pulling = workplace.start(["models", "pull"], { environment });
  const incomplete = join(cache, "models--acme--minilm", "blobs", `${sha256(weights)}.incomplete`);
  const size = () =>
    stat(incomplete).then(
      (stats) => stats.size,
      () => 0,
    );
  await until(size, (bytes) => bytes > 1_000_000);
  pulling.kill("SIGINT");
  const ended = await pulling.ended;
  expect(ended.code).toBe(130);
  expect(ended.stdout).toContain("Continue with: medley models pull");
  expect(existsSync(workplace.path("medley.lock.json"))).toBe(false);
  const kept = await size();

  hub.trouble = {};
  hub.requests.length = 0;
  const again = await workplace.run(["models", "pull"], { environment });
  expect(again.stderr).toBe("");
  expect(again.code).toBe(0);
  expect(again.stdout).toMatch(
    /^acme\/minilm: 8 files, 24\.9 MB, at c9745ed1d9f2\npinned in .*medley\.lock\.json\n$/,
  );
  expect(hub.requests.filter((one) => one.includes(`bytes=${kept}-`))).toHaveLength(1);
});

test("one repository, two ONNX files: pinned apart, removed apart", async () => {
  const { medley, cache } = await here();
  await medley("models", "pull");
  const half = await medley("models", "pull", "acme/minilm", "--dtype", "fp16");
  expect(half.data.models[0]).toMatchObject({ model: "acme/minilm#fp16", revision });
  const { models } = (await medley("models", "list")).data;
  expect(models.map(({ name, dtype, state }: Record<string, string>) => [name, dtype, state])).toEqual([
    ["all-MiniLM-L6-v2", null, "ok"],
    ["thin-resnet-50", null, "ok"],
    ["ge2e-voice", null, "ok"],
    ["acme/minilm", "fp32", "ok"],
    ["acme/minilm#fp16", "fp16", "ok"],
  ]);
  const snapshot = join(cache, "models--acme--minilm", "snapshots", revision, "onnx");
  expect(await readdir(snapshot)).toEqual(["model.onnx", "model_fp16.onnx"]);
  await medley("models", "remove", "acme/minilm#fp16");
  expect(await readdir(snapshot)).toEqual(["model.onnx"]);
  expect((await medley("models", "verify", "acme/minilm")).exitCode).toBe(0);
  await medley("models", "remove", "acme/minilm");
  expect(await readdir(cache)).toEqual([]);
});

test("a cache that other tools filled is pinned without the hub", async () => {
  const { hub, medley, environment, workplace } = await here();
  await medley("models", "pull");
  const lock = await readFile(workplace.path("medley.lock.json"), "utf8");
  await hub[Symbol.asyncDispose]();
  await writeFile(workplace.path("medley.lock.json"), JSON.stringify({ lockVersion: 1, models: {} }));
  Object.assign(environment, { HF_HUB_OFFLINE: "1" });
  expect((await medley("models", "pull")).exitCode).toBe(0);
  expect(await readFile(workplace.path("medley.lock.json"), "utf8")).toBe(lock);
  expect(modelCheck(await medley("doctor")).ok).toBe(true);
});

test("a folder that is pinned must stay as it is, until it is pinned again", async () => {
  const { workplace, medley } = await here({ model: "./mine" });
  const filter = (path: string) => !path.endsWith("manifest.json");
  await cp(bundled, workplace.path("mine"), { recursive: true, filter });
  const pinned = await medley("models", "pull", "./mine");
  expect(pinned.data.models).toMatchObject([{ model: "./mine", revision: null }]);
  expect(modelCheck(await medley("doctor")).ok).toBe(true);
  await writeFile(workplace.path("mine/tokenizer_config.json"), JSON.stringify({ model_max_length: 8 }));
  const check = modelCheck(await medley("doctor"));
  expect(check.detail).toContain("tokenizer_config.json: expected sha256");
  expect(check.detail).toContain('"medley models pull ./mine"');
  expect((await medley("models", "pull", "./mine")).exitCode).toBe(0);
  expect(modelCheck(await medley("doctor")).ok).toBe(true);
  expect((await medley("models", "remove", "./mine")).data).toMatchObject({ bytesFreed: 0, wasPinned: true });
  expect(existsSync(workplace.path("mine/config.json"))).toBe(true);
});

test("what goes wrong ends with its code, and the mend says what to do", async () => {
  const { hub, medley, environment, workplace } = await here({ token: "secret-token" });
  const unknown = await medley("models", "pull");
  expect(unknown).toMatchObject({ exitCode: 1, error: { code: "model_not_found" } });
  expect(unknown.error?.mend).toContain("HF_TOKEN");
  Object.assign(environment, { HF_TOKEN: "wrong-token" });
  const wrong = await workplace.run(["models", "pull"], { environment });
  expect(wrong.code).toBe(1);
  expect(wrong.stdout + wrong.stderr).not.toContain("wrong-token");
  Object.assign(environment, { HF_TOKEN: "secret-token" });
  hub.trouble = { wrong: "onnx/model.onnx" };
  expect(await medley("models", "pull")).toMatchObject({ exitCode: 1, error: { code: "model_damaged" } });
  hub.trouble = { status: { code: 502, times: 99 } };
  expect(await medley("models", "pull")).toMatchObject({ exitCode: 3, error: { code: "hub_unavailable" } });
  hub.trouble = {};
  expect((await medley("models", "pull")).exitCode).toBe(0);
  for (const args of [
    ["pull", "no such name"],
    ["pull", "--dtype", "fp16"],
    ["pull", "acme/minilm#fp16", "--dtype", "fp16"],
    ["remove", "all-MiniLM-L6-v2"],
    ["quantise", "all-MiniLM-L6-v2", "--out", "."],
    ["quantise", "all-MiniLM-L6-v2"],
  ]) {
    expect((await medley("models", ...args)).exitCode).toBe(2);
  }
  expect(await medley("models", "quantise", "all-MiniLM-L6-v2", "--out", "made")).toMatchObject({
    exitCode: 1,
    error: { code: "model_unsupported" },
  });
  await writeFile(workplace.path("medley.lock.json"), "{");
  expect(await medley("models", "list")).toMatchObject({ exitCode: 2, error: { code: "config_invalid" } });
});

const original = process.env.MEDLEY_FP32_MINILM;
const isMissing = original === undefined || !existsSync(original);
if (isMissing)
  console.log(
    "skipped: `medley models quantise` of a real model. Set MEDLEY_FP32_MINILM (infra/default-model/fetch.sh)",
  );

test.skipIf(isMissing)(
  "a real model's weights as int8: a quarter of the size, and vectors as close as they were",
  async () => {
    const { workplace, medley } = await here({ model: "./int8" });
    await cp(bundled, workplace.path("float32"), {
      recursive: true,
      filter: (path) => !path.endsWith("manifest.json"),
    });
    await cp(original as string, workplace.path("float32/onnx/model.onnx"));
    const { data } = await medley("models", "quantise", "./float32", "--out", "int8");
    expect(data.bytesAfter).toBeLessThan(data.bytesBefore * 0.28);
    expect(data.cosineToSource.vectors).toMatchObject({ inputs: 24 });
    expect(data.cosineToSource.vectors.min).toBeGreaterThan(0.998);
    expect(await readFile(workplace.path("int8/onnx/model.onnx"))).toEqual(weights);
    const manifest = JSON.parse(await readFile(workplace.path("int8/manifest.json"), "utf8"));
    expect(manifest.source.sha256).toBe(sha256(await readFile(original as string)));
    const verified = await medley("models", "verify", "./int8");
    expect(verified.data.models[0]).toMatchObject({
      ok: true,
      reference: { inputs: 24, cosineMinGoal: 0.998 },
    });
    const of32 = await medley("models", "verify", "./float32");
    expect(of32.data.models[0]).toMatchObject({ ok: true, reference: { cosineMinGoal: 0.999 } });
    expect(of32.data.models[0].reference.cosineMin).toBeGreaterThan(0.99999);
    expect(modelCheck(await medley("doctor")).ok).toBe(true);
  },
);

test("the outputs that may be an embedding, of a model and of a plain ONNX file", async () => {
  const { workplace, medley } = await here();
  const candidate = { name: "pooler_output", dims: ["batch", 1024] };
  const named = await medley("models", "outputs", "thin-resnet-50");
  expect(named.data.candidates).toMatchObject([candidate]);
  const { directory } = await locateModel("thin-resnet-50", {});
  workplace.write("plain.onnx", await readFile(join(directory, "onnx/model.onnx")));
  expect((await medley("models", "outputs", "./plain.onnx")).data.candidates).toMatchObject([candidate]);
  workplace.write("broken.onnx", "no model");
  expect(await medley("models", "outputs", "./broken.onnx")).toMatchObject({
    exitCode: 1,
    error: { code: "model_unsupported" },
  });
});
