import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { type LocateOptions, locateModel } from "./locate.ts";
import type { ModelLock } from "./lock.ts";
import { temporaryFolder } from "./model-folder.fixture.ts";

const revision = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf";
const someFile = { sha256: "0".repeat(64), bytes: 4 };

/** A hub cache with one model's file, as huggingface_hub lays it out. */
async function hubCache(hub: string, modelFile: string): Promise<string> {
  const snapshot = join(hub, "models--acme--tiny", "snapshots", revision);
  await mkdir(dirname(join(snapshot, modelFile)), { recursive: true });
  await writeFile(join(snapshot, modelFile), "onnx");
  return snapshot;
}

function lockOf(names: Readonly<Record<string, readonly string[]>>): ModelLock {
  const models = Object.entries(names).map(([name, paths]) => [
    name,
    { revision, files: Object.fromEntries(paths.map((path) => [path, someFile])) },
  ]);
  return {
    file: undefined,
    models: Object.fromEntries(models),
    trained: {},
    assigned: { spaces: {}, weights: {}, classes: {}, dimensions: {} },
  };
}

test.for([
  ["HF_HUB_CACHE", "", "onnx/model.onnx"],
  ["HUGGINGFACE_HUB_CACHE", "", "onnx/model.onnx"],
  ["HF_HOME", "hub", "onnx/model.onnx"],
  ["XDG_CACHE_HOME", "huggingface/hub", "model.onnx"],
  ["HOME", ".cache/huggingface/hub", "model.onnx"],
] as const)("a hub model is found through %s", async ([variable, below, modelFile]) => {
  const base = await temporaryFolder();
  const directory = await hubCache(join(base, below), modelFile);
  const lock = lockOf({ "acme/tiny": [modelFile] });
  expect(await locateModel("acme/tiny", { [variable]: base }, { lock })).toMatchObject({
    name: "acme/tiny",
    origin: "hub",
    directory,
    modelFile,
    hashes: { [modelFile]: someFile },
  });
});

test("the more special variable counts", async () => {
  const [right, wrong] = [await temporaryFolder(), await temporaryFolder()];
  const directory = await hubCache(right, "model.onnx");
  const environment = { HF_HUB_CACHE: right, HF_HOME: wrong, XDG_CACHE_HOME: wrong, HOME: wrong };
  const lock = lockOf({ "acme/tiny": ["model.onnx"] });
  expect((await locateModel("acme/tiny", environment, { lock })).directory).toBe(directory);
});

test.for(["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])("%s is bundled", async (name) => {
  expect((await locateModel(name, {})).modelFile).toBe("onnx/model.onnx");
});

test("a path is a folder with the model's files, relative to the lock's folder", async () => {
  const directory = await temporaryFolder();
  await writeFile(join(directory, "model.onnx"), "onnx");
  const expected = { origin: "folder", directory, modelFile: "model.onnx", hashes: undefined };
  expect(await locateModel(directory, {})).toMatchObject(expected);
  const lock = {
    file: join(dirname(directory), "medley.lock.json"),
    models: {},
    trained: {},
    assigned: { spaces: {}, weights: {}, classes: {}, dimensions: {} },
  };
  const relative = `./${directory.slice(dirname(directory).length + 1)}`;
  expect(await locateModel(relative, {}, { lock })).toMatchObject(expected);
});

test.for([
  ["./m#fp16", undefined, "onnx/model_fp16.onnx"],
  ["./m#quantized", "text", "onnx/model_quantized.onnx"],
  ["./m#fp32", undefined, "onnx/model.onnx"],
  ["./m", "text", "onnx/model.onnx"],
  ["./m", "image", "onnx/vision_model.onnx"],
  ["./m#fp16", "image", "onnx/model_fp16.onnx"],
  ["./m#odd#fp16", undefined, null],
] as const)("%s of kind %s is %s", async ([name, kind, modelFile]) => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "m", "onnx"), { recursive: true });
  for (const file of ["model", "model_fp16", "model_quantized", "vision_model"]) {
    await writeFile(join(folder, "m", "onnx", `${file}.onnx`), "onnx");
  }
  const lock = {
    file: join(folder, "medley.lock.json"),
    models: {},
    trained: {},
    assigned: { spaces: {}, weights: {}, classes: {}, dimensions: {} },
  };
  const found = locateModel(name, {}, kind === undefined ? { lock } : { lock, kind });
  if (modelFile === null) await expect(found).rejects.toMatchObject({ code: "model_not_found" });
  else expect((await found).modelFile).toBe(modelFile);
});

async function failure(
  name: string,
  environment: Record<string, string>,
  options: LocateOptions = {},
): Promise<MedleyError> {
  return locateModel(name, environment, options).then(
    () => expect.unreachable(),
    (error) => error,
  );
}

test("a model that the cache has and the lock does not pin is not loaded", async () => {
  const base = await temporaryFolder();
  await hubCache(join(base, "hub"), "model.onnx");
  const file = join(base, "medley.lock.json");
  for (const name of ["acme/tiny", "acme/tiny#fp16", "toString"]) {
    const error = await failure(
      name,
      { HF_HOME: base },
      {
        lock: {
          file,
          models: {},
          trained: {},
          assigned: { spaces: {}, weights: {}, classes: {}, dimensions: {} },
        },
      },
    );
    expect(error.code).toBe("model_not_found");
    expect(error.message).toContain(file);
    expect(error.mend).toContain(`"medley models pull ${name}"`);
  }
});

test("a snapshot without the pinned weights: every place that was looked at, and the mend", async () => {
  const base = await temporaryFolder();
  const snapshot = await hubCache(join(base, "hub"), "model.safetensors");
  const lock = lockOf({ "acme/tiny": ["onnx/model.onnx"] });
  const error = await failure("acme/tiny", { HF_HOME: base }, { lock });
  expect(error.code).toBe("model_not_found");
  for (const file of ["onnx/model.onnx", "model.onnx"]) expect(error.message).toContain(join(snapshot, file));
  expect(error.mend).toContain('"medley models pull acme/tiny"');
});

test.for(["../no/such/folder", "no such name", "", "a/../b", "a/b/c", "org/na--me", ".."])(
  "%j is not found",
  async (name) => {
    const error = await failure(name, {});
    expect(error.code).toBe("model_not_found");
    expect(error.mend).toBeTruthy();
  },
);
