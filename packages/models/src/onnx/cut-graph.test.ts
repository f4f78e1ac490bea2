import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { modelPath } from "../image/pictures.fixture.ts";
import { cutGraph } from "./cut-graph.ts";
import { decodeOnnx, encodeOnnx, nodeOf, type OnnxGraph, tensorOf } from "./onnx-model.ts";
import { outputCandidates } from "./output-candidates.ts";
import { declaredTypeOf, tensorTypeOf, valueInfoOf } from "./value-info.ts";

const bytes = readFileSync(join(modelPath("tiny-vit"), "model.onnx"));

test("types are read as they were written", () => {
  for (const dims of [null, [], ["batch", 3, null, 224]]) {
    expect(tensorTypeOf(valueInfoOf("x", { dataType: 1, dims }))).toEqual({ dataType: 1, dims });
  }
  expect(tensorTypeOf({ name: "x" })).toBeNull();
  const { graph } = decodeOnnx(bytes);
  expect(declaredTypeOf(graph, "pixel_values")).toEqual({ dataType: 1, dims: ["batch", 3, 64, 64] });
});

test("a tensor within becomes the only output, and what it does not need is gone", async () => {
  const whole = decodeOnnx(bytes).graph;
  const inner = whole.node.find(({ opType }) => opType === "LayerNormalization")?.output[0] as string;
  const cut = cutGraph(bytes, inner);
  const { graph } = decodeOnnx(cut);
  expect(graph.output.map(({ name }) => name)).toEqual([inner]);
  expect(graph.node.length).toBeLessThan(whole.node.length / 2);
  expect(graph.initializer.length).toBeLessThan(whole.initializer.length / 2);
  const session = await InferenceSession.create(cut);
  const feeds = { pixel_values: new Tensor("float32", new Float32Array(3 * 64 * 64), [1, 3, 64, 64]) };
  expect((await session.run(feeds))[inner]?.dims).toEqual([1, 65, 32]);
});

test("what a branch reads from around it is kept", () => {
  const branch = {
    node: [nodeOf("Identity", ["outer"], "inner")],
    initializer: [],
    input: [],
    output: [{ name: "inner" }],
  };
  const g = Buffer.from(encodeOnnx({ irVersion: 8, graph: branch, opsetImport: [] }));
  // A model's field 7 is its graph: tag, length, bytes. This one is short enough for one byte of length.
  const at = g.indexOf(0x3a);
  const bodyBytes = g.subarray(at + 2, at + 2 + (g[at + 1] as number));
  const graph: OnnxGraph = {
    node: [
      nodeOf("Relu", ["x"], "outer"),
      nodeOf("Relu", ["x"], "unused"),
      nodeOf("If", ["condition"], "y", [{ name: "then_branch", type: 5, g: bodyBytes }]),
    ],
    initializer: [tensorOf("spare", [1], Float32Array.of(1))],
    input: [{ name: "x" }, { name: "condition" }],
    output: [{ name: "unused" }],
  };
  const cut = decodeOnnx(cutGraph(encodeOnnx({ irVersion: 8, graph, opsetImport: [] }), "y")).graph;
  expect(cut.node.map(({ output }) => output[0])).toEqual(["outer", "y"]);
  expect(cut.initializer).toEqual([]);
  expect(cut.input.map(({ name }) => name)).toEqual(["x", "condition"]);
});

test("a tensor that no node makes is refused", () => {
  expect(() => cutGraph(bytes, "nope")).toThrow(RangeError);
});

test("what may be an embedding: outputs, what the classifier reads, what was pooled; the nearest to the end first", () => {
  const graph: OnnxGraph = {
    node: [
      nodeOf("Conv", ["x", "filters"], "maps"),
      nodeOf("GlobalAveragePool", ["maps"], "pooled"),
      nodeOf("Flatten", ["pooled"], "flat"),
      nodeOf("Gemm", ["flat", "weights", "bias"], "logits", [{ name: "transB", type: 2, i: 1n }]),
      nodeOf("Softmax", ["logits"], "shares"),
      nodeOf("Identity", ["flat"], "features"),
    ],
    initializer: [
      tensorOf("filters", [32, 3, 1, 1], new Float32Array(96)),
      tensorOf("weights", [10, 32], new Float32Array(320)),
      tensorOf("bias", [10], new Float32Array(10)),
    ],
    input: [valueInfoOf("x", { dataType: 1, dims: ["batch", 3, 8, 8] })],
    output: [{ name: "shares" }, { name: "features" }],
  };
  expect(outputCandidates(encodeOnnx({ irVersion: 8, graph, opsetImport: [] }))).toEqual([
    { name: "features", dims: [null, 32], why: "an output of the model" },
    { name: "flat", dims: [null, 32], why: "what the classifier reads" },
    { name: "pooled", dims: [null, 32], why: "pooled features" },
  ]);
});
