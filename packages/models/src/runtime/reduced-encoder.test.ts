import { join } from "node:path";
import { type Encoder, type SpaceDefinition, succeed } from "@medley/core";
import { expect, onTestFinished, test } from "vitest";
import { modelFolder, temporaryFolder } from "../artefact/model-folder.fixture.ts";
import { encodeOnnx, nodeOf, onnxTypes, tensorOf, valueInfoOf } from "../onnx/index.ts";
import { modelFile } from "../trained/manifest.ts";
import { writeArtefact } from "../trained/tiny-artefact.fixture.ts";
import { openModelRuntime } from "./model-runtime.ts";
import { openReducedEncoder } from "./reduced-encoder.ts";

const space = "films.plot";

/** Of 384 dimensions, as the model of the fixture. */
const whole: Encoder = {
  dimensions: 384,
  identity: "whole",
  usesModel: false,
  encode: async (values) => values.map((value) => succeed(Float32Array.from(value as number[]))),
  encodeQuery: async (query) => Float32Array.from(query as number[]),
};

function described(lock?: NonNullable<Parameters<typeof openModelRuntime>[0]["lock"]>, loads = false) {
  const runtime = openModelRuntime({ environment: {}, loads, threads: 1, ...(lock && { lock }) });
  onTestFinished(() => runtime.close());
  return runtime;
}

async function cut(config: object, to: number, model?: string): Promise<Encoder> {
  const named =
    model ?? (await modelFolder({ "config.json": { hidden_size: 384, vocab_size: 30522, ...config } }));
  const definition = {
    encoder: "text",
    field: "plot",
    model: named,
    reduced: { to, by: "cut" },
  } as unknown as SpaceDefinition;
  return openReducedEncoder(whole, { space, definition, runtime: described() });
}

test.for([
  [{ matryoshka_dimensions: [64, 128] }, 64],
  [{ is_matryoshka: true }, 100],
] as const)("a model whose files say so is cut: %o", async ([config, to]) => {
  expect((await cut(config, to)).dimensions).toBe(to);
});

test("any other is refused, and so are dimensions that it was not trained for", async () => {
  await expect(cut({}, 64)).rejects.toMatchObject({
    code: "model_unsupported",
    message: expect.stringContaining("does not say that it was trained for that"),
    mend: expect.stringContaining('"pca"'),
  });
  await expect(cut({}, 64, "all-MiniLM-L6-v2")).rejects.toMatchObject({ code: "model_unsupported" });
  await expect(cut({ matryoshka_dimensions: [64, 128] }, 100)).rejects.toMatchObject({
    message: expect.stringContaining("trained for 64, 128"),
  });
  await expect(cut({ is_matryoshka: true }, 384)).rejects.toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining("its encoder gives 384"),
  });
});

test("a remote model is known by its name", async () => {
  const remote = { encoder: "remote", field: "plot", url: "http://localhost/v1", dimensions: 384 } as const;
  const open = (model: string) =>
    openReducedEncoder(whole, {
      space,
      definition: { ...remote, model, reduced: { to: 100, by: "cut" } } as unknown as SpaceDefinition,
      runtime: described(),
    });
  expect((await open("text-embedding-3-small")).dimensions).toBe(100);
  await expect(open("text-embedding-ada-002")).rejects.toMatchObject({ code: "model_unsupported" });
});

/** `embedding` is the first two dimensions, the other way round. */
function axesModel(): Uint8Array {
  const axes = new Float32Array(384 * 2);
  axes[1] = axes[2] = 1;
  const of = (name: string, size: number) =>
    valueInfoOf(name, { dataType: onnxTypes.float32, dims: ["batch", size] });
  return encodeOnnx({
    irVersion: 9,
    opsetImport: [{ version: 18n }],
    graph: {
      name: "projection",
      node: [nodeOf("MatMul", ["segment", "axes"], "embedding")],
      initializer: [tensorOf("axes", [384, 2], axes)],
      input: [of("segment", 384)],
      output: [of("embedding", 2)],
    },
  });
}

async function reducedBy(by: "pca" | "random", encoder: string): Promise<Encoder> {
  const lock = await writeArtefact(join(await temporaryFolder(), "medley.lock.json"), space, {
    manifest: { kind: "pca", dimensions: 2, encoder },
    files: { [modelFile]: axesModel() },
  });
  const definition = { encoder: "text", field: "plot", reduced: { to: 2, by } } as unknown as SpaceDefinition;
  return openReducedEncoder(whole, { space, definition, runtime: described(lock, true) });
}

test("pinned axes serve records and searches", async () => {
  const encoder = await reducedBy("pca", "whole");
  const value = Array.from({ length: 384 }, (_, at) => [4, 3][at] ?? 0.1);
  const [zero, record] = await encoder.encode([new Array(384).fill(0), value]);
  expect(zero).toMatchObject({ ok: true, value: new Float32Array(2) });
  const expected = [expect.closeTo(0.6, 6), expect.closeTo(0.8, 6)];
  expect(record?.ok && [...record.value]).toEqual(expected);
  expect([...(await encoder.encodeQuery(value))]).toEqual(expected);
});

test("axes of another kind or of another encoder's segments are refused", async () => {
  await expect(reducedBy("random", "whole")).rejects.toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining("configured as random with 2 dimensions"),
  });
  await expect(reducedBy("pca", "another")).rejects.toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining("fitted to segments of another encoder"),
    mend: expect.stringContaining("medley train films.plot"),
  });
});
