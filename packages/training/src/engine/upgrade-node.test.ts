import { encodeOnnx, type OnnxAttribute, type OnnxModel, onnxTypes, valueInfoOf } from "@medley/models/onnx";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { type Attributes, onnxAttributes } from "./attributes.ts";
import { readGraph } from "./read-graph.ts";

const shape = [2, 3, 4] as const;
const values = Float32Array.from({ length: 24 }, (_, at) => Math.sin(at * 1.7) + at / 10);

/** A file of one node of an old operator set, whose first output counts. */
function fileOf(
  opType: string,
  version: bigint,
  attributes: Attributes,
  { outputs = ["y"] }: { outputs?: readonly string[] } = {},
): Uint8Array {
  const attribute: OnnxAttribute[] = onnxAttributes(attributes);
  const model: OnnxModel = {
    irVersion: 8,
    opsetImport: [{ domain: "", version }],
    graph: {
      name: "one",
      node: [{ name: `${opType}.1`, opType, input: ["x"], output: [...outputs], attribute }],
      initializer: [],
      input: [valueInfoOf("x", { dataType: onnxTypes.float32, dims: shape })],
      output: outputs.map((name) => ({ name })),
    },
  };
  return encodeOnnx(model);
}

const runOf = async (file: Uint8Array) => {
  const session = await InferenceSession.create(file, { logSeverityLevel: 4 });
  const { y } = await session.run({ x: new Tensor("float32", values, shape) });
  return { dims: y?.dims, data: Array.from(y?.data as Float32Array) };
};

test.for([
  ["ReduceSum", 11n, { axes: [1] }],
  ["ReduceMean", 13n, { axes: [0, 2], keepdims: 0 }],
  ["ReduceMax", 12n, { axes: [-1], keepdims: 0 }],
  ["ReduceMean", 17n, {}],
  ["Unsqueeze", 11n, { axes: [1] }],
  ["Flatten", 11n, { axis: 2 }],
  ["Softmax", 11n, { axis: 2 }],
  ["LogSoftmax", 11n, { axis: -1 }],
  ["Split", 11n, { axis: 2, split: [1, 3] }, { outputs: ["y", "z"] }],
  ["Split", 13n, { axis: 2 }, { outputs: ["y", "z"] }],
  ["Dropout", 10n, {}],
] as const)("%s of operator set %d", async ([opType, version, attributes, outputs]) => {
  const file = fileOf(opType, version, attributes as Attributes, outputs);
  const { graph, value } = await readGraph(file, { inputs: { x: { shape } }, outputs: ["y"] });
  expect(await runOf(graph.model(new Map([["y", value("y")]])))).toEqual(await runOf(file));
});

test.for([
  ["Softmax", 11n, { axis: 1 }],
  ["Clip", 6n, { min: { float: 0 }, max: { float: 1 } }],
] as const)("%s whose meaning has changed is refused by name", async ([opType, version, attributes]) => {
  const file = fileOf(opType, version, attributes as Attributes);
  await expect(readGraph(file, { inputs: { x: { shape } }, outputs: ["y"] })).rejects.toThrow(
    `"${opType}.1"`,
  );
});
