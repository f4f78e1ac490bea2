import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import {
  decodeOnnx,
  encodeOnnx,
  nodeOf,
  type OnnxAttribute,
  type OnnxModel,
  onnxTypes,
  tensorOf,
} from "./onnx-model.ts";
import { inlineExternalData, quantiseWeights } from "./quantise-weights.ts";

/** The same numbers every time, near a normal distribution, with a scale of its own for every 50. */
function weights(count: number): Float32Array {
  let state = 1;
  const next = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647 - 0.5;
  };
  return Float32Array.from({ length: count }, (_, at) => (next() + next() + next()) * (1 + (at % 50)));
}

function valueInfo(name: string, dims: readonly (number | string)[]): { name: string; type: Uint8Array } {
  const field = (number: number, bytes: Uint8Array) =>
    Buffer.from([(number << 3) | 2, bytes.length, ...bytes]);
  const dim = (one: number | string) =>
    field(
      1,
      typeof one === "number" ? Buffer.from([8, (one & 127) | 128, one >> 7]) : field(2, Buffer.from(one)),
    );
  const shape = field(2, Buffer.concat(dims.map(dim)));
  return { name, type: field(1, Buffer.concat([Buffer.from([8, 1]), shape])) };
}

const ints = (name: string, ...values: number[]): OnnxAttribute => ({
  name,
  type: 7,
  ints: values.map(BigInt),
});
const int = (name: string, value: number): OnnxAttribute => ({ name, type: 2, i: BigInt(value) });

interface Case {
  readonly opType: string;
  readonly dims: number[];
  readonly input: readonly number[];
  readonly attribute: OnnxAttribute[];
  readonly scales: readonly number[];
}

const cases: Readonly<Record<string, Case>> = {
  "MatMul in groups of 64": {
    opType: "MatMul",
    dims: [320, 400],
    input: [3, 320],
    attribute: [],
    scales: [5, 1, 400],
  },
  "MatMul that can't be cut": {
    opType: "MatMul",
    dims: [333, 400],
    input: [3, 333],
    attribute: [],
    scales: [1, 1, 400],
  },
  Gemm: { opType: "Gemm", dims: [320, 400], input: [3, 320], attribute: [], scales: [5, 1, 400] },
  "Gemm, transposed": {
    opType: "Gemm",
    dims: [400, 320],
    input: [3, 320],
    attribute: [int("transB", 1)],
    scales: [400, 5, 1],
  },
  Conv: {
    opType: "Conv",
    dims: [128, 128, 3, 3],
    input: [1, 128, 5, 5],
    attribute: [ints("kernel_shape", 3, 3)],
    scales: [128, 18, 1],
  },
  LSTM: {
    opType: "LSTM",
    dims: [1, 1024, 128],
    input: [4, 2, 128],
    attribute: [int("hidden_size", 256)],
    scales: [1024, 2, 1],
  },
};

function modelFor({ opType, dims, input, attribute }: Case): OnnxModel {
  const count = dims.reduce((product, dim) => product * dim, 1);
  // Large recurrent weights make chaos, in which any rounding grows.
  const small = opType === "LSTM" ? 0.002 : 1;
  const values = (length: number) => weights(length).map((weight) => weight * small);
  const recurrent = tensorOf("r", [1, 1024, 256], values(1024 * 256));
  const node = nodeOf(opType, opType === "LSTM" ? ["x", "w", "r"] : ["x", "w"], "y", attribute);
  const graph = {
    name: "g",
    node: [node],
    initializer: [tensorOf("w", dims, values(count)), ...(opType === "LSTM" ? [recurrent] : [])],
    input: [valueInfo("x", input)],
    output: [{ name: "y", type: valueInfo("y", []).type.subarray(0, 4) }],
  };
  // No shape of the output: ONNX Runtime finds it.
  (graph.output[0] as { type: Uint8Array }).type = Uint8Array.of(10, 2, 8, 1);
  return { irVersion: 8, graph, opsetImport: [{ version: 17n }] };
}

async function outputOf(bytes: Uint8Array, input: readonly number[]): Promise<Float32Array> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const count = input.reduce((product, dim) => product * dim, 1);
  const { y } = await session.run({
    x: new Tensor(
      "float32",
      weights(count).map((v) => v / 50),
      [...input],
    ),
  });
  return y?.data as Float32Array;
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) =>
    x.reduce((sum, one, at) => sum + one * (y[at] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

test.for(Object.entries(cases))(
  "%s: stored as int8, the output is the same but for rounding",
  async ([, one]) => {
    const original = encodeOnnx(modelFor(one));
    const { bytes, tensors } = quantiseWeights(original);
    expect(bytes.length).toBeLessThan(original.length * 0.3);
    const { graph } = decodeOnnx(bytes);
    const initializer = (name: string) => graph.initializer.find((tensor) => tensor.name === name);
    expect(initializer("w.int8")?.dataType).toBe(onnxTypes.int8);
    expect(initializer("w.scale")?.dims).toEqual(one.scales);
    expect(tensors[0]?.cosine).toBeGreaterThan(0.9998);
    expect(tensors[0]?.cosine).toBeLessThan(1);
    const [before, after] = [await outputOf(original, one.input), await outputOf(bytes, one.input)];
    expect(after.length).toBe(before.length);
    expect(cosine(before, after)).toBeGreaterThan(0.999);
  },
);

test("small tensors, other types and weights that two kinds of nodes use stay as they are", () => {
  const model = modelFor(cases.Gemm as Case);
  const tensor = (name: string, dims: number[]) =>
    tensorOf(name, dims, weights(dims.reduce((a, b) => a * b)));
  model.graph.initializer = [
    tensor("small", [100, 100]),
    tensorOf("integers", [400, 320], new Int8Array(400 * 320)),
    tensor("shared", [400, 320]),
    tensor("left", [400, 320]),
  ];
  model.graph.node = [
    nodeOf("MatMul", ["x", "small"], "a"),
    nodeOf("MatMul", ["x", "integers"], "b"),
    nodeOf("MatMul", ["x", "shared"], "c"),
    nodeOf("Add", ["x", "shared"], "d"),
    nodeOf("MatMul", ["left", "x"], "e"),
  ];
  const { tensors, bytes } = quantiseWeights(encodeOnnx(model));
  expect(tensors).toEqual([]);
  expect(decodeOnnx(bytes).graph.initializer).toEqual(decodeOnnx(encodeOnnx(model)).graph.initializer);
});

test("a matrix that two nodes multiply by is stored once; inputs of old models name it no more", async () => {
  const model = modelFor({ ...(cases.Gemm as Case), opType: "MatMul" });
  model.graph.input.push({ name: "w" });
  model.graph.node.push(nodeOf("MatMul", ["x", "w"], "z"));
  const { bytes, tensors } = quantiseWeights(encodeOnnx(model));
  expect(tensors).toHaveLength(1);
  expect(decodeOnnx(bytes).graph.input.map(({ name }) => name)).toEqual(["x"]);
  expect((await outputOf(bytes, [3, 320])).length).toBe(1200);
});

test("weights beside a model come into it, or it is refused", async () => {
  const one = cases.MatMul ?? (cases.Gemm as Case);
  const model = modelFor(one);
  const [tensor] = model.graph.initializer as [(typeof model.graph.initializer)[0]];
  const raw = tensor.rawData as Uint8Array;
  const file = Buffer.concat([Buffer.alloc(64), raw]);
  const inside = encodeOnnx(model);
  const entries = (length: number) => [
    { key: "location", value: "w.bin" },
    { key: "offset", value: "64" },
    { key: "length", value: String(length) },
  ];
  delete tensor.rawData;
  Object.assign(tensor, { dataLocation: 1, externalData: entries(raw.length) });
  const outside = encodeOnnx(model);
  const whole = inlineExternalData(outside, new Map([["w.bin", file]]));
  expect(await outputOf(whole, one.input)).toEqual(await outputOf(inside, one.input));
  expect(() => inlineExternalData(outside, new Map([["w.bin", file.subarray(0, 1000)]]))).toThrow(RangeError);
  expect(() => inlineExternalData(outside, new Map([["other", file]]))).toThrow(RangeError);
  Object.assign(tensor, { externalData: entries(-1) });
  expect(() => inlineExternalData(encodeOnnx(model), new Map([["w.bin", file]]))).toThrow(RangeError);
});
