import { expect, test } from "vitest";
import { nodeOf, type OnnxAttribute, type OnnxModel } from "./onnx-model.ts";
import { quantisesActivations } from "./quantised-activations.ts";

function modelOf(opType: string, attribute: OnnxAttribute[] = []): OnnxModel {
  const node = [nodeOf("Gather", ["a", "b"], "c"), nodeOf(opType, ["c"], "d", attribute)];
  return { irVersion: 8, graph: { node, initializer: [], input: [], output: [] }, opsetImport: [] };
}

test.for([
  ["DynamicQuantizeLinear", true],
  ["DynamicQuantizeMatMul", true],
  ["MatMulInteger", true],
  ["ConvInteger", true],
  ["MatMul", false],
  ["DequantizeLinear", false], // Weights that are only stored as int8.
  ["QLinearMatMul", false], // By scales that the file has: the same in every batch.
  ["MatMulNBits", false],
] as const)("%s: %s", ([opType, expected]) => {
  expect(quantisesActivations(modelOf(opType))).toBe(expected);
});

test("in the body of an If", () => {
  const body = (opType: string): OnnxAttribute => ({
    name: "then_branch",
    type: 5,
    g: Buffer.from(`\n\u0015${opType}`),
  });
  expect(quantisesActivations(modelOf("If", [body("DynamicQuantizeLinear")]))).toBe(true);
  expect(quantisesActivations(modelOf("If", [body("MatMul")]))).toBe(false);
});
