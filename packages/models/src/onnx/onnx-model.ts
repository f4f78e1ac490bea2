import { strict as assert } from "node:assert";
import { decodeMessage, encodeMessage, type Message, type MessageSchema } from "./wire.ts";

/**
 * The parts of an ONNX file (onnx.proto3, IR version 6 to 11) that a tool which rewrites graphs needs, as plain
 * objects. What is not named here is kept byte for byte when a file is read and written again.
 */
export interface OnnxModel extends Message {
  irVersion: number;
  producerName?: string;
  producerVersion?: string;
  docString?: string;
  graph: OnnxGraph;
  opsetImport: OnnxOpset[];
}
export interface OnnxOpset extends Message {
  domain?: string;
  version: bigint;
}
export interface OnnxGraph extends Message {
  name?: string;
  node: OnnxNode[];
  initializer: OnnxTensor[];
  input: OnnxValueInfo[];
  output: OnnxValueInfo[];
  /** Types of tensors within, where the exporter wrote them down. */
  valueInfo?: OnnxValueInfo[];
}
/** `type` stays protobuf bytes: `value-info.ts` reads and makes them. */
export interface OnnxValueInfo extends Message {
  name: string;
  type?: Uint8Array;
}
export interface OnnxNode extends Message {
  name?: string;
  opType: string;
  domain?: string;
  input: string[];
  output: string[];
  attribute: OnnxAttribute[];
}
/** `type` says which of the values counts: 1 f, 2 i, 3 s, 4 t, 5 g, 6 floats, 7 ints, 8 strings. */
export interface OnnxAttribute extends Message {
  name: string;
  type: number;
  f?: number;
  i?: bigint;
  s?: Uint8Array;
  t?: OnnxTensor;
  g?: Uint8Array;
  floats?: number[];
  ints?: bigint[];
  strings?: Uint8Array[];
}
/** Little-endian `rawData`, or one of the typed lists. */
export interface OnnxTensor extends Message {
  name?: string;
  dims: number[];
  dataType: number;
  rawData?: Uint8Array;
  floatData?: number[];
  int32Data?: number[];
  int64Data?: bigint[];
  /** Key and value: `location`, `offset`, `length`. Counts where `dataLocation` is 1. */
  externalData?: OnnxEntry[];
  dataLocation?: number;
}
export interface OnnxEntry extends Message {
  key: string;
  value: string;
}

/** Numbers of onnx.proto's `TensorProto.DataType`. */
export const onnxTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;

const entrySchema: MessageSchema = {
  1: { name: "key", kind: "string" },
  2: { name: "value", kind: "string" },
};
const tensorSchema: MessageSchema = {
  1: { name: "dims", kind: "int", many: true },
  2: { name: "dataType", kind: "int" },
  4: { name: "floatData", kind: "float", many: true },
  5: { name: "int32Data", kind: "int", many: true },
  7: { name: "int64Data", kind: "bigint", many: true },
  8: { name: "name", kind: "string" },
  9: { name: "rawData", kind: "bytes" },
  13: { name: "externalData", kind: entrySchema, many: true },
  14: { name: "dataLocation", kind: "int" },
};
const attributeSchema: MessageSchema = {
  1: { name: "name", kind: "string" },
  2: { name: "f", kind: "float" },
  3: { name: "i", kind: "bigint" },
  4: { name: "s", kind: "bytes" },
  5: { name: "t", kind: tensorSchema },
  6: { name: "g", kind: "bytes" },
  7: { name: "floats", kind: "float", many: true },
  8: { name: "ints", kind: "bigint", many: true },
  9: { name: "strings", kind: "bytes", many: true },
  20: { name: "type", kind: "int" },
};
const nodeSchema: MessageSchema = {
  1: { name: "input", kind: "string", many: true },
  2: { name: "output", kind: "string", many: true },
  3: { name: "name", kind: "string" },
  4: { name: "opType", kind: "string" },
  5: { name: "attribute", kind: attributeSchema, many: true },
  7: { name: "domain", kind: "string" },
};
const valueInfoSchema: MessageSchema = {
  1: { name: "name", kind: "string" },
  2: { name: "type", kind: "bytes" },
};
const graphSchema: MessageSchema = {
  1: { name: "node", kind: nodeSchema, many: true },
  2: { name: "name", kind: "string" },
  5: { name: "initializer", kind: tensorSchema, many: true },
  11: { name: "input", kind: valueInfoSchema, many: true },
  12: { name: "output", kind: valueInfoSchema, many: true },
  13: { name: "valueInfo", kind: valueInfoSchema, many: true },
};
const opsetSchema: MessageSchema = {
  1: { name: "domain", kind: "string" },
  2: { name: "version", kind: "bigint" },
};
const modelSchema: MessageSchema = {
  1: { name: "irVersion", kind: "int" },
  2: { name: "producerName", kind: "string" },
  3: { name: "producerVersion", kind: "string" },
  6: { name: "docString", kind: "string" },
  7: { name: "graph", kind: graphSchema },
  8: { name: "opsetImport", kind: opsetSchema, many: true },
};

/** Tensor bytes are views of `bytes`. Throws `RangeError` for bytes that are no protobuf. */
export function decodeOnnx(bytes: Uint8Array): OnnxModel {
  const model = decodeMessage(bytes, modelSchema) as OnnxModel;
  if (model.graph === undefined) throw new RangeError("the bytes hold no ONNX graph");
  return model;
}

export function encodeOnnx(model: OnnxModel): Uint8Array {
  return encodeMessage(model, modelSchema);
}

/** The graphs in a node's attributes: the branches of an If, the body of a Loop or Scan. */
export function subgraphsOf(node: OnnxNode): OnnxGraph[] {
  return node.attribute.flatMap(({ g }) =>
    g === undefined ? [] : [decodeMessage(g, graphSchema) as OnnxGraph],
  );
}

/** The values of a float32 tensor, row-major; a copy, so alignment in the file does not count. */
export function floatsOf(tensor: OnnxTensor): Float32Array {
  assert.equal(tensor.dataType, onnxTypes.float32, `${tensor.name} is not float32`);
  if (tensor.rawData === undefined) return Float32Array.from(tensor.floatData ?? []);
  return new Float32Array(Uint8Array.from(tensor.rawData).buffer);
}

export function tensorOf(
  name: string,
  dims: readonly number[],
  values: Float32Array | Int8Array | BigInt64Array,
): OnnxTensor {
  assert.equal(
    dims.reduce((product, dim) => product * dim, 1),
    values.length,
    `${name}: ${values.length} values do not fill [${dims}]`,
  );
  const dataType =
    values instanceof Float32Array
      ? onnxTypes.float32
      : values instanceof Int8Array
        ? onnxTypes.int8
        : onnxTypes.int64;
  const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, dims: [...dims], dataType, rawData };
}

export function nodeOf(
  opType: string,
  input: readonly string[],
  output: string,
  attribute: readonly OnnxAttribute[] = [],
): OnnxNode {
  return {
    name: `${output}/${opType}`,
    opType,
    input: [...input],
    output: [output],
    attribute: [...attribute],
  };
}
