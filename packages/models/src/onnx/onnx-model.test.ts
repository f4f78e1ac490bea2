import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { locateModel } from "../artefact/locate.ts";
import { decodeOnnx, encodeOnnx, floatsOf, type OnnxTensor, tensorOf } from "./onnx-model.ts";

const located = await locateModel("all-MiniLM-L6-v2", {});
const bytes = readFileSync(join(located.directory, located.modelFile));

test("a model that is read, written and read again is the same", () => {
  const model = decodeOnnx(bytes);
  expect(model.graph.node.length).toBeGreaterThan(100);
  expect(model.graph.input.map(({ name }) => name)).toEqual([
    "input_ids",
    "attention_mask",
    "token_type_ids",
  ]);
  const again = encodeOnnx(model);
  expect(Buffer.compare(again, encodeOnnx(decodeOnnx(again)))).toBe(0);
  expect(Buffer.compare(again, bytes)).toBe(0);
});

test("fields that the schema does not name are kept", () => {
  const metadata = Buffer.from([(14 << 3) | 2, 3, 10, 1, 65]); // metadata_props { key: "A" }
  const model = decodeOnnx(Buffer.concat([bytes, metadata]));
  expect(Buffer.from(encodeOnnx(model)).includes(metadata)).toBe(true);
});

test("bytes that break off are refused", () => {
  expect(() => decodeOnnx(bytes.subarray(0, 1_000_000))).toThrow(RangeError);
  expect(() => decodeOnnx(new Uint8Array(0))).toThrow(RangeError);
});

test.for([
  ["packed", [(4 << 3) | 2, 8, 0, 0, 0, 63, 0, 0, 0, 192]],
  ["one by one", [(4 << 3) | 5, 0, 0, 0, 63, (4 << 3) | 5, 0, 0, 0, 192]],
] as const)("numbers are read %s", ([, floatData]) => {
  const tensor: OnnxTensor = { dims: [2], dataType: 1, unknownFields: [Uint8Array.from(floatData)] };
  const graph = { node: [], initializer: [tensor], input: [], output: [] };
  const read = decodeOnnx(encodeOnnx({ irVersion: 8, graph, opsetImport: [] })).graph.initializer[0];
  expect(floatsOf(read as OnnxTensor)).toEqual(Float32Array.of(0.5, -2));
});

test("negative and large integers survive", () => {
  const ints = [-1n, 2n ** 63n - 1n, 0n, 300n];
  const node = {
    opType: "Slice",
    input: [],
    output: ["y"],
    attribute: [{ name: "ends", type: 7, ints, floats: [], strings: [] }],
  };
  const graph = { node: [node], initializer: [], input: [], output: [] };
  const written = encodeOnnx({ irVersion: 8, graph, opsetImport: [{ version: 17n }] });
  expect(decodeOnnx(written).graph.node[0]?.attribute[0]?.ints).toEqual(ints);
});

test("a tensor's values must fill its shape", () => {
  expect(() => tensorOf("w", [2, 3], new Float32Array(5))).toThrow("5 values do not fill [2,3]");
});
