import { strict as assert } from "node:assert";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { locateModel } from "./artefact/locate.ts";
import { emptyLock } from "./artefact/lock.ts";
import { modelFolder, temporaryFolder } from "./artefact/model-folder.fixture.ts";
import { decodeOnnx, encodeOnnx, floatsOf, type OnnxModel, tensorOf } from "./onnx/index.ts";
import { quantiseModel } from "./quantise-model.ts";
import { verifyModel } from "./verify-model.ts";

const bundled = await locateModel("all-MiniLM-L6-v2", {});
const stored = await readFile(join(bundled.directory, bundled.modelFile));

/** The bundled model with its matrices as the float32 that they are computed in. */
function unfolded(): OnnxModel {
  const model = decodeOnnx(stored);
  const { graph } = model;
  const byName = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  for (const reshape of graph.node.filter(
    ({ opType, output }) => opType === "Reshape" && byName.has(`${output[0]}.int8`),
  )) {
    const [name] = reshape.output as [string];
    const int8 = byName.get(`${name}.int8`);
    const scale = byName.get(`${name}.scale`);
    assert(int8?.rawData !== undefined && scale !== undefined);
    const [groups, length, columns] = int8.dims as [number, number, number];
    const integers = Int8Array.from(int8.rawData, (byte) => (byte << 24) >> 24);
    const scales = floatsOf(scale);
    const floats = Float32Array.from(integers, (value, at) => {
      const group = Math.floor(at / (length * columns));
      return value * (scales[group * columns + (at % columns)] as number);
    });
    const parts = ["int8", "scale", "shape"].map((part) => `${name}.${part}`);
    graph.initializer = graph.initializer.filter((tensor) => !parts.includes(tensor.name as string));
    graph.initializer.push(tensorOf(name, [groups * length, columns], floats));
    const folding = [`${name}.cast`, `${name}.scaled`, name];
    graph.node = graph.node.filter(({ output }) => !folding.includes(output[0] as string));
  }
  return model;
}

/** Puts the weights of the matrices into `model.onnx_data`. */
function withDataBeside(model: OnnxModel): { onnx: Uint8Array; data: Uint8Array } {
  const data: Uint8Array[] = [];
  let offset = 0;
  for (const tensor of model.graph.initializer.filter(({ rawData }) => (rawData?.length ?? 0) > 100_000)) {
    const bytes = tensor.rawData as Uint8Array;
    const entries = { location: "model.onnx_data", offset: String(offset), length: String(bytes.length) };
    tensor.externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
    tensor.dataLocation = 1;
    delete tensor.rawData;
    data.push(bytes);
    offset += bytes.length;
  }
  return { onnx: encodeOnnx(model), data: Buffer.concat(data) };
}

test("a model with its float32 weights beside it becomes one file of int8; all other files stay", async () => {
  const { onnx, data } = withDataBeside(unfolded());
  const folder = await modelFolder({
    "onnx/model.onnx": onnx,
    LICENSE: "free",
    "reference.json": undefined as never,
  });
  await writeFile(join(folder, "onnx", "model.onnx_data"), data);
  await writeFile(join(folder, "onnx", "model_fp16.onnx"), "another");
  const out = join(await temporaryFolder(), "int8");
  const made = await quantiseModel(folder, out, {}, { lock: emptyLock });
  expect(made.directory).toBe(out);
  expect(made.bytesBefore).toBe(onnx.length + data.length);
  expect(made.bytesAfter).toBeLessThan(made.bytesBefore / 2);
  expect(made.tensors).toHaveLength(36);
  // The weights were rounded before, so that rounding them again changes nothing.
  expect(made.vectors).toMatchObject({ inputs: 24 });
  expect(made.vectors?.cosineMin).toBeGreaterThan(0.999999);
  expect(made.weights.cosineMin).toBeGreaterThan(0.999999);
  expect((await readdir(join(out, "onnx"))).sort()).toEqual(["model.onnx"]);
  expect(await readFile(join(out, "LICENSE"), "utf8")).toBe("free");
  const manifest = JSON.parse(await readFile(join(out, "manifest.json"), "utf8"));
  expect(Object.keys(manifest.files)).toContain("onnx/model.onnx");
  expect(manifest.cosineToSource.vectors).toMatchObject({ inputs: 24 });
  const { reference } = await verifyModel(out, {}, { lock: emptyLock });
  expect(reference).toMatchObject({ inputs: 24, cosineMinGoal: 0.998 });
  await writeFile(join(out, "LICENSE"), "changed");
  await expect(verifyModel(out, {}, { lock: emptyLock })).rejects.toMatchObject({ code: "model_damaged" });
});

test("a folder that is there is not overwritten, and a link out of the model is not copied", async () => {
  const out = await temporaryFolder();
  await writeFile(join(out, "mine.txt"), "mine");
  const quantise = (model: string, to: string) => quantiseModel(model, to, {}, { lock: emptyLock });
  await expect(quantise("all-MiniLM-L6-v2", out)).rejects.toMatchObject({ code: "usage" });
  await expect(quantise("all-MiniLM-L6-v2", join(out, "mine.txt"))).rejects.toMatchObject({ code: "usage" });
  expect(await readdir(out)).toEqual(["mine.txt"]);

  const folder = await modelFolder({ "onnx/model.onnx": encodeOnnx(unfolded()) });
  await mkdir(join(folder, "deep"));
  await symlink(join(out, "mine.txt"), join(folder, "deep", "stolen.txt"));
  const copied = quantise(folder, join(out, "made"));
  await expect(copied).rejects.toMatchObject({ code: "model_unsupported" });
  expect(await readdir(out)).toEqual(["mine.txt"]);
});

test("vectors that are not those of reference.json are found", async () => {
  const { vectors } = JSON.parse(await readFile(join(bundled.directory, "reference.json"), "utf8"));
  const [first, second] = vectors;
  const swapped = [{ text: first.text, vector: second.vector }];
  const verify = async (reference: object) =>
    verifyModel(
      await modelFolder({ "reference.json": reference }, { weights: true }),
      {},
      { lock: emptyLock },
    );
  expect((await verify({ vectors: [first, second] })).reference).toMatchObject({ inputs: 2 });
  const error = await verify({ vectors: [first, ...swapped] }).catch((reason) => reason);
  expect(error.code).toBe("model_damaged");
  expect(error.message).toMatch(/cosine min 0?\.\d+, mean/);
  await expect(verify({ vectors: 1 })).rejects.toMatchObject({ code: "model_damaged" });
});
