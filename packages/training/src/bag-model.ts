import { strict as assert } from "node:assert";
import { encodeOnnx, nodeOf, onnxTypes, tensorOf, valueInfoOf } from "@medley/models/onnx";

const opset = 18n;
const irVersion = 9;

/**
 * The ONNX graph of a weighted sum of a table's rows: `ids` int64 and `weights` float32, both [batch, width], give
 * `embedding` float32 [batch, dimensions], sum over k of weights[b, k] table[ids[b, k]]. Padding is id 0 of weight 0.
 * `table` is row-major, [rows, dimensions].
 */
export function bagModel(table: Float32Array, dimensions: number): Uint8Array {
  assert(table.length > 0 && table.length % dimensions === 0, "a table of whole rows");
  const bag = { dims: ["batch", "width"] };
  return encodeOnnx({
    irVersion,
    producerName: "medley",
    opsetImport: [{ version: opset }],
    graph: {
      name: "bag",
      node: [
        nodeOf("Gather", ["table", "ids"], "rows"),
        nodeOf("Unsqueeze", ["weights", "middle"], "row_weights"),
        nodeOf("MatMul", ["row_weights", "rows"], "sums"),
        nodeOf("Squeeze", ["sums", "middle"], "embedding"),
      ],
      initializer: [
        tensorOf("table", [table.length / dimensions, dimensions], table),
        tensorOf("middle", [1], BigInt64Array.of(1n)),
      ],
      input: [
        valueInfoOf("ids", { dataType: onnxTypes.int64, ...bag }),
        valueInfoOf("weights", { dataType: onnxTypes.float32, ...bag }),
      ],
      output: [valueInfoOf("embedding", { dataType: onnxTypes.float32, dims: ["batch", dimensions] })],
    },
  });
}
