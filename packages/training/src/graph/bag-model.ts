import { encodeOnnx, nodeOf, onnxTypes, tensorOf, valueInfoOf } from "@medley/models/onnx";

/**
 * The ONNX file of a `bag`: `ids` int64 [batch, width] and `weights` float32 [batch, width] to `embedding` [batch, dimensions],
 * the sum over the width of weight times the row of `table` [rows, dimensions].
 */
export function bagModel(table: Float32Array, [rows, dimensions]: readonly [number, number]): Uint8Array {
  const { float32, int64 } = onnxTypes;
  return encodeOnnx({
    irVersion: 9,
    producerName: "medley",
    opsetImport: [{ domain: "", version: 18n }],
    graph: {
      name: "medley",
      node: [
        nodeOf("Gather", ["table", "ids"], "rows"),
        nodeOf("Unsqueeze", ["weights", "middle"], "factors"),
        nodeOf("MatMul", ["factors", "rows"], "sums"),
        nodeOf("Squeeze", ["sums", "middle"], "embedding"),
      ],
      initializer: [
        tensorOf("table", [rows, dimensions], table),
        tensorOf("middle", [1], BigInt64Array.of(1n)),
      ],
      input: [
        valueInfoOf("ids", { dataType: int64, dims: ["batch", "width"] }),
        valueInfoOf("weights", { dataType: float32, dims: ["batch", "width"] }),
      ],
      output: [valueInfoOf("embedding", { dataType: float32, dims: ["batch", dimensions] })],
    },
  });
}
