import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { locateModel } from "./locate.ts";
import { temporaryFolder } from "./model-folder.fixture.ts";

const revision = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf";

/** A hub cache with one model, as huggingface_hub lays it out. */
async function hubCache(hub: string, modelFile: string): Promise<string> {
  const repository = join(hub, "models--acme--tiny");
  const snapshot = join(repository, "snapshots", revision);
  await mkdir(dirname(join(snapshot, modelFile)), { recursive: true });
  await mkdir(join(repository, "refs"), { recursive: true });
  await writeFile(join(repository, "refs", "main"), revision);
  await writeFile(join(snapshot, modelFile), "onnx");
  return snapshot;
}

test.for([
  ["HF_HUB_CACHE", "", "onnx/model.onnx"],
  ["HF_HOME", "hub", "onnx/model.onnx"],
  ["XDG_CACHE_HOME", "huggingface/hub", "model.onnx"],
  ["HOME", ".cache/huggingface/hub", "model.onnx"],
] as const)("a hub model is found through %s", async ([variable, below, modelFile]) => {
  const base = await temporaryFolder();
  const directory = await hubCache(join(base, below), modelFile);
  expect(await locateModel("acme/tiny", { [variable]: base })).toEqual({
    name: "acme/tiny",
    directory,
    modelFile,
  });
});

test("the more special variable counts", async () => {
  const [right, wrong] = [await temporaryFolder(), await temporaryFolder()];
  const directory = await hubCache(right, "model.onnx");
  const environment = { HF_HUB_CACHE: right, HF_HOME: wrong, XDG_CACHE_HOME: wrong, HOME: wrong };
  expect((await locateModel("acme/tiny", environment)).directory).toBe(directory);
});

test.for(["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])("%s is bundled", async (name) => {
  expect((await locateModel(name, {})).modelFile).toBe("onnx/model.onnx");
});

test("a path is a folder with the model's files", async () => {
  const directory = await temporaryFolder();
  await writeFile(join(directory, "model.onnx"), "onnx");
  expect(await locateModel(directory, {})).toEqual({ name: directory, directory, modelFile: "model.onnx" });
});

async function failure(name: string, environment: Record<string, string>): Promise<MedleyError> {
  return locateModel(name, environment).then(
    () => expect.unreachable(),
    (error) => error,
  );
}

test("a model that is nowhere: every place that was looked at, and the mend", async () => {
  const base = await temporaryFolder();
  const error = await failure("acme/none", { HF_HOME: base });
  expect(error.code).toBe("model_not_found");
  expect(error.message).toContain(join(base, "hub", "models--acme--none", "refs", "main"));
  expect(error.mend).toContain('"hf download acme/none"');
});

test("a snapshot without ONNX weights: both files are named", async () => {
  const base = await temporaryFolder();
  const snapshot = await hubCache(join(base, "hub"), "model.safetensors");
  const error = await failure("acme/tiny", { HF_HOME: base });
  expect(error.code).toBe("model_not_found");
  for (const file of ["onnx/model.onnx", "model.onnx"]) expect(error.message).toContain(join(snapshot, file));
});

test.for(["../no/such/folder", "no such name", ""])("%j is not found", async (name) => {
  const error = await failure(name, {});
  expect(error.code).toBe("model_not_found");
  expect(error.mend).toBeTruthy();
});
