import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { locateModel } from "../artefact/locate.ts";
import { describeGraph } from "./describe-graph.ts";
import { encodeOnnx, type OnnxAttribute, type OnnxNode, type OnnxTensor } from "./onnx-model.ts";

const { directory } = await locateModel("all-MiniLM-L6-v2", {});
const bundled = readFileSync(join(directory, "onnx/model.onnx"));

/** Protobuf by hand: what our own encoder would not write. */
function field(number: number, content: Uint8Array | string): Uint8Array {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}
function varint(value: number): Uint8Array {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
}

function node(opType: string, domain = "", attribute: OnnxAttribute[] = []): OnnxNode {
  return { opType, domain, input: [], output: [], attribute };
}
function modelOf(nodes: OnnxNode[], initializer: OnnxTensor[] = [], more: Uint8Array[] = []): Uint8Array {
  const graph = { name: "g", node: nodes, initializer, input: [], output: [] };
  return Buffer.concat([encodeOnnx({ irVersion: 8, graph, opsetImport: [{ version: 17n }] }), ...more]);
}
const graphBytes = (...nodes: Uint8Array[]) => Buffer.concat(nodes.map((one) => field(1, one)));
const nodeBytes = (opType: string, domain = "") => Buffer.concat([field(4, opType), field(7, domain)]);
const externalTensor = (location: string) =>
  field(13, Buffer.concat([field(1, "location"), field(2, location)]));

test("the bundled model", () => {
  expect(describeGraph(bundled)).toMatchObject({
    opset: 11,
    operatorDomains: [""],
    dynamicQuantised: false,
    storesIntegers: true,
    externalData: [],
    externalDataInside: false,
  });
});

test.for([
  ["DynamicQuantizeLinear", "", true],
  ["MatMulInteger", "", true],
  ["ConvInteger", "", true],
  ["QLinearMatMul", "", true],
  ["MatMulIntegerToFloat", "com.microsoft", true],
  ["DynamicQuantizeLSTM", "com.microsoft", true],
  ["DequantizeLinear", "", false],
  ["MatMulNBits", "com.microsoft", false],
  ["MatMul", "", false],
] as const)("%s of %j quantises activations: %s", ([opType, domain, expected]) => {
  expect(describeGraph(modelOf([node(opType, domain)])).dynamicQuantised).toBe(expected);
});

test("operators and data are found in subgraphs, functions and attributes", () => {
  const inner = graphBytes(nodeBytes("Hidden", "acme"));
  const subgraph = { name: "then_branch", type: 5, g: inner };
  expect(describeGraph(modelOf([node("If", "", [subgraph])])).operatorDomains).toEqual(["", "acme"]);
  const graphs = field(7, graphBytes(Buffer.concat([field(4, "Loop"), field(5, field(11, inner))])));
  expect(describeGraph(modelOf([], [], [graphs])).operatorDomains).toEqual(["", "acme"]);
  const training = field(20, field(2, inner));
  expect(describeGraph(modelOf([node("Add")], [], [training])).operatorDomains).toEqual(["", "acme"]);

  const fn = (body: Uint8Array) =>
    field(25, Buffer.concat([field(1, "F"), field(10, "own"), field(7, body)]));
  const called = modelOf([node("F", "own")], [], [fn(nodeBytes("Add"))]);
  expect(describeGraph(called).operatorDomains).toEqual([""]);
  const hiding = modelOf([node("F", "own")], [], [fn(nodeBytes("Hidden", "acme"))]);
  expect(describeGraph(hiding).operatorDomains).toEqual(["acme"]);

  const constant = field(
    7,
    field(1, Buffer.concat([field(4, "Constant"), field(5, field(5, externalTensor("x")))])),
  );
  expect(describeGraph(modelOf([], [], [constant]))).toMatchObject({
    externalData: ["x"],
    externalDataInside: true,
  });
  const sparse = field(7, field(15, field(1, externalTensor("y"))));
  expect(describeGraph(modelOf([], [], [sparse]))).toMatchObject({
    externalData: ["y"],
    externalDataInside: true,
  });
  const plain = field(7, field(5, externalTensor("z")));
  expect(describeGraph(modelOf([], [], [plain]))).toMatchObject({
    externalData: ["z"],
    externalDataInside: false,
  });
});

test("a graph that comes in parts is read whole, as protobuf merges it", () => {
  const second = field(7, graphBytes(nodeBytes("Hidden", "acme")));
  expect(describeGraph(modelOf([node("Add")], [], [second])).operatorDomains).toEqual(["", "acme"]);
});

/** An If in an If in an If. */
function nested(depth: number): Uint8Array {
  let graph: Uint8Array = graphBytes(nodeBytes("Add"));
  for (let level = 0; level < depth; level++) {
    graph = graphBytes(Buffer.concat([field(4, "If"), field(5, field(6, graph))]));
  }
  return field(7, graph);
}

test.for([
  ["no bytes", new Uint8Array(0), "no ONNX graph"],
  ["text", Buffer.from("no weights at all"), "at offset"],
  ["JSON", Buffer.from('{"a": 1}'), "at offset"],
  ["a model that breaks off", bundled.subarray(0, 1_000_000), "past the end"],
  ["graphs 100 deep", nested(100), "8 deep"],
  ["graphs 20,000 deep", nested(20_000), "8 deep"],
  [
    "a length of 2^62",
    Buffer.concat([Buffer.from([(7 << 3) | 2]), Buffer.from("8080808080808080c000", "hex")]),
  ],
  ["a negative length", Buffer.from([(7 << 3) | 2, ...Array(9).fill(255), 1]), "past the end"],
  ["a varint without end", Buffer.alloc(50, 255), "varint"],
  ["a name of a million bytes", modelOf([node("A".repeat(1_000_000))]), "a name in it"],
  ["a million nodes", field(7, Buffer.concat(Array(1_000_000).fill(field(1, field(4, "Add"))))), "nodes"],
  ["a million tensors", field(7, Buffer.concat(Array(1_000_000).fill(field(5, "")))), "tensors"],
] as const)("%s: refused", ([, bytes, words]) => {
  expect(() => describeGraph(bytes)).toThrow(RangeError);
  expect(() => describeGraph(bytes)).toThrow(words);
});

test("whatever the bytes are, they are described or refused", () => {
  const small = modelOf([
    node("If", "", [{ name: "then_branch", type: 5, g: graphBytes(nodeBytes("Add")) }]),
  ]);
  const changes = fc.array(fc.tuple(fc.nat({ max: small.length - 1 }), fc.nat({ max: 255 })), {
    maxLength: 4,
  });
  const outcome = (bytes: Uint8Array) => {
    try {
      return typeof describeGraph(bytes).opset;
    } catch (error) {
      return (error as Error).constructor;
    }
  };
  fc.assert(
    fc.property(changes, (list) => {
      const bytes = Uint8Array.from(small);
      for (const [at, value] of list) bytes[at] = value;
      expect(["number", RangeError]).toContain(outcome(bytes));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(["number", RangeError]).toContain(outcome(bytes));
    }),
  );
});
