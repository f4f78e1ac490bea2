import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { decodeOnnx, encodeOnnx, nodeOf, type OnnxModel, type OnnxTensor } from "../onnx/index.ts";
import { openTextEncoder } from "../open-text-encoder.ts";
import { ModelFiles } from "./files.ts";
import { locateModel } from "./locate.ts";
import { emptyModel, modelFolder, temporaryFolder } from "./model-folder.fixture.ts";
import { loadModelBytes, type PinnedModel, pinModel } from "./onnx-file.ts";

const bundled = await locateModel("all-MiniLM-L6-v2", {});

/** The bundled model with its large weights in files beside it, as `onnx.save_model` writes them. */
async function splitModel(locations: readonly string[]): Promise<{ model: OnnxModel; data: Buffer[] }> {
  const model = decodeOnnx(await readFile(join(bundled.directory, bundled.modelFile)));
  const parts: Uint8Array[][] = locations.map(() => []);
  const large = model.graph.initializer.filter(({ rawData }) => (rawData?.length ?? 0) > 1024);
  large.forEach((tensor, at) => {
    const file = at % locations.length;
    const bytes = tensor.rawData as Uint8Array;
    const offset = (parts[file] as Uint8Array[]).reduce((sum, { length }) => sum + length, 0);
    (parts[file] as Uint8Array[]).push(bytes);
    tensor.externalData = [
      { key: "location", value: locations[file] as string },
      { key: "offset", value: String(offset) },
      { key: "length", value: String(bytes.length) },
    ];
    tensor.dataLocation = 1;
    delete tensor.rawData;
  });
  return { model, data: parts.map((part) => Buffer.concat(part)) };
}

async function folderWith(
  onnx: Uint8Array,
  beside: Readonly<Record<string, Uint8Array>> = {},
): Promise<string> {
  const folder = await modelFolder({ "onnx/model.onnx": onnx });
  for (const [name, bytes] of Object.entries(beside)) await writeFile(join(folder, "onnx", name), bytes);
  return folder;
}

async function pin(folder: string): Promise<PinnedModel> {
  const located = await locateModel(folder, {});
  return pinModel(await ModelFiles.open(located), located.modelFile);
}

async function failure(folder: string): Promise<MedleyError> {
  return pin(folder).then(
    () => expect.unreachable(),
    (error) => error,
  );
}

test("a real model with its weights in two files gives the same vectors, and is one identity with them", async () => {
  const { model, data } = await splitModel(["model.onnx_data", "more weights.bin"]);
  const [first, second] = data as [Buffer, Buffer];
  const folder = await folderWith(encodeOnnx(model), {
    "model.onnx_data": first,
    "more weights.bin": second,
  });
  const environment = {};
  await using split = await openTextEncoder({ model: folder, threads: 1, environment });
  await using whole = await openTextEncoder({ model: "all-MiniLM-L6-v2", threads: 1, environment });
  expect(await split.encodeQuery("bread and butter")).toEqual(await whole.encodeQuery("bread and butter"));

  const pinned = await pin(folder);
  expect(pinned.externalData.map(({ location }) => location)).toEqual([
    "model.onnx_data",
    "more weights.bin",
  ]);
  second[0] = (second[0] as number) ^ 1;
  await writeFile(join(folder, "onnx", "more weights.bin"), second);
  expect(() => loadModelBytes(pinned)).toThrow("more weights.bin: expected sha256");
  const changed = await pin(folder);
  expect(changed.sha256).toBe(pinned.sha256);
  expect(changed.contents).not.toBe(pinned.contents);
});

function withExternal(location: string, more: Partial<OnnxTensor> = {}): Uint8Array {
  const tensor: OnnxTensor = {
    name: "w",
    dims: [2, 2],
    dataType: 1,
    dataLocation: 1,
    externalData: [{ key: "location", value: location }],
    ...more,
  };
  const graph = { name: "g", node: [], initializer: [tensor], input: [], output: [] };
  return encodeOnnx({ irVersion: 8, graph, opsetImport: [{ version: 17n }] });
}

test.for([
  "../weights.bin",
  "../../../../etc/passwd",
  "/etc/passwd",
  "C:\\weights.bin",
  "..\\weights.bin",
  "a/../../weights.bin",
  "./weights.bin",
  "",
  "*/_ORT_MEM_ADDR_/*",
  "weights.bin\0",
])("external data in %j is refused, whether it is there or not", async (location) => {
  const folder = await folderWith(withExternal(location));
  await writeFile(join(folder, "weights.bin"), new Uint8Array(16));
  const error = await failure(folder);
  expect(error.code).toBe("model_unsupported");
  expect(error.message).toContain("outside of its folder");
  expect(error.message).toContain(JSON.stringify(location).slice(1, -1));
});

test("external data that is not there, or is a link out of the folder", async () => {
  const folder = await folderWith(withExternal("weights.bin"));
  expect(await failure(folder)).toMatchObject({ code: "model_not_found" });
  const elsewhere = join(await temporaryFolder(), "weights.bin");
  await writeFile(elsewhere, new Uint8Array(16));
  await symlink(elsewhere, join(folder, "onnx", "weights.bin"));
  expect(await failure(folder)).toMatchObject({ code: "model_unsupported" });
});

test.for(["config.json", "tokenizer.json", "onnx/model.onnx", "1_Pooling"])(
  "a %s that is a link out of the model's folder is refused; one inside of it is not",
  async (name) => {
    const folder = await modelFolder({});
    const outside = await modelFolder({});
    const path = join(folder, name);
    await cp(path, join(folder, "inside"), { recursive: true });
    const relink = async (to: string) => {
      await rm(path, { recursive: true });
      await symlink(to, path);
    };
    const open = () =>
      openTextEncoder({ model: folder, threads: 1, environment: {} }).then(
        async (encoder) => {
          await encoder[Symbol.asyncDispose]();
          return null;
        },
        (error: MedleyError) => error,
      );
    await relink(join(folder, "inside"));
    expect((await open())?.message ?? "").not.toContain("outside of its folder");
    await relink(join(outside, name));
    const error = await open();
    expect(error).toMatchObject({ code: "model_unsupported" });
    expect(error?.message).toContain("outside of its folder");
  },
);

test("a hub snapshot's links to its blobs are its own; other links are not", async () => {
  const cache = await temporaryFolder();
  const revision = "0".repeat(40);
  const snapshot = join(cache, "models--acme--tiny", "snapshots", revision);
  const blob = join(cache, "models--acme--tiny", "blobs", "abc");
  await mkdir(dirname(blob), { recursive: true });
  await mkdir(snapshot, { recursive: true });
  await writeFile(blob, emptyModel);
  await symlink("../../blobs/abc", join(snapshot, "model.onnx"));
  const sha256 = createHash("sha256").update(emptyModel).digest("hex");
  const models = { "acme/tiny": { revision, files: { "model.onnx": { sha256, bytes: emptyModel.length } } } };
  const lock = {
    file: undefined,
    models,
    trained: {},
    assigned: { spaces: {}, weights: {}, classes: {}, dimensions: {} },
  };
  const located = await locateModel("acme/tiny", { HF_HUB_CACHE: cache }, { lock });
  expect((await pinModel(await ModelFiles.open(located), "model.onnx")).sha256).toBe(sha256);
  await writeFile(join(cache, "elsewhere.onnx"), emptyModel);
  await rm(join(snapshot, "model.onnx"));
  await symlink("../../../elsewhere.onnx", join(snapshot, "model.onnx"));
  await expect(ModelFiles.open(located)).rejects.toMatchObject({ code: "model_unsupported" });
});

test.for(["../config.json", "/etc/passwd", "a/../../b"])(
  "a manifest that lists %s is refused",
  async (name) => {
    const sha256 = "0".repeat(64);
    const folder = await modelFolder({ "manifest.json": { files: { [name]: { sha256 } } } });
    expect(await failure(folder)).toMatchObject({ code: "model_unsupported" });
  },
);

test.for(["../other", "/etc", "..\\other"])("a module in %s is refused", async (path) => {
  const type = (name: string) => `sentence_transformers.models.${name}`;
  const modules = [
    { path: "", type: type("Transformer") },
    { path, type: type("Pooling") },
  ];
  const folder = await modelFolder({ "modules.json": modules });
  const opened = openTextEncoder({ model: folder, threads: 1, environment: {} });
  await expect(opened).rejects.toMatchObject({ code: "model_unsupported" });
});

test("a device in a file's place is not read", async () => {
  const folder = await modelFolder({});
  await rm(join(folder, "config.json"));
  execFileSync("mkfifo", [join(folder, "config.json")]);
  const opened = openTextEncoder({ model: folder, threads: 1, environment: {} });
  await expect(opened).rejects.toMatchObject({ code: "model_not_found" });
});

function withNode(opType: string, domain: string): Uint8Array {
  const graph = {
    name: "g",
    node: [{ ...nodeOf(opType, [], "y"), domain }],
    initializer: [],
    input: [],
    output: [],
  };
  return encodeOnnx({ irVersion: 8, graph, opsetImport: [{ version: 17n }, { domain, version: 1n }] });
}

test.for([
  ["Sneak", "acme.custom", "acme.custom.Sneak"],
  ["BertTokenizer", "ai.onnx.contrib", "ai.onnx.contrib.BertTokenizer"],
  ["EPContext", "com.microsoft", "com.microsoft.EPContext"],
] as const)("the operator %s of %s is refused by name", async ([opType, domain, shown]) => {
  const error = await failure(await folderWith(withNode(opType, domain)));
  expect(error.code).toBe("model_unsupported");
  expect(error.message).toContain(shown);
  expect(error.mend).toBeTruthy();
});

test.for([
  ["Gelu", "com.microsoft"],
  ["Scaler", "ai.onnx.ml"],
  ["Add", "ai.onnx"],
  ["Add", ""],
] as const)("%s of %j is not", async ([opType, domain]) => {
  expect((await pin(await folderWith(withNode(opType, domain)))).graph.operators).toHaveLength(1);
});

test("weights of a subgraph in another file are refused: they can't be hashed and given", async () => {
  const inner = decodeOnnx(withExternal("weights.bin")).graph;
  const { graph } = decodeOnnx(emptyModel);
  const bytes = Buffer.from(encodeOnnx({ irVersion: 8, graph: inner, opsetImport: [] }));
  const body = bytes.subarray(bytes.indexOf((7 << 3) | 2) + 2);
  const branch = { name: "then_branch", type: 5, g: body };
  graph.node = [nodeOf("If", ["c"], "y", [branch])];
  const folder = await folderWith(encodeOnnx({ irVersion: 8, graph, opsetImport: [{ version: 17n }] }), {
    "weights.bin": new Uint8Array(16),
  });
  const error = await failure(folder);
  expect(error).toMatchObject({ code: "model_unsupported" });
  expect(error.message).toContain("subgraph");
});

test.for([
  [
    "that is cut",
    async () => (await readFile(join(bundled.directory, bundled.modelFile))).subarray(0, 99_999),
  ],
  ["that is none", async () => Buffer.from("<html>404</html>")],
  ["that is empty", async () => new Uint8Array(0)],
] as const)("an ONNX file %s is refused before ONNX Runtime sees it", async ([, bytes]) => {
  const error = await failure(await folderWith(await bytes()));
  expect(error.code).toBe("model_unsupported");
  expect(error.message).toContain("no ONNX model");
});

test("a pinned location with other bounds than its file is an error, not a crash", async () => {
  const { model, data } = await splitModel(["w.bin"]);
  const whole = data[0] as Buffer;
  const folder = await folderWith(encodeOnnx(model), { "w.bin": whole.subarray(0, 1000) });
  const opened = openTextEncoder({ model: folder, threads: 1, environment: {} });
  await expect(opened).rejects.toMatchObject({ code: "model_unsupported" });
  for (const tensor of model.graph.initializer) {
    const offset = tensor.externalData?.find(({ key }) => key === "offset");
    if (offset !== undefined) offset.value = "9223372036854775807";
  }
  const far = await folderWith(encodeOnnx(model), { "w.bin": whole });
  await expect(openTextEncoder({ model: far, threads: 1, environment: {} })).rejects.toMatchObject({
    code: "model_unsupported",
  });
});
