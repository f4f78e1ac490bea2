import {
  encodeOnnx,
  nodeOf,
  type OnnxAttribute,
  type OnnxNode,
  type OnnxTensor,
  onnxTypes,
  tensorOf,
  valueInfoOf,
} from "../onnx/index.ts";

export const tinyHiddenSize = 4;
const vocabularySize = 30_522;

/**
 * A model of one table: a token's hidden state is its row, times a matrix. With `quantises` the product is made of
 * integers, scaled by the largest value of the batch, as ONNX Runtime's dynamic quantisation does it.
 */
export function tinyModel({ opset = 17n, quantises = false } = {}): Uint8Array {
  const table = Float32Array.from({ length: vocabularySize * tinyHiddenSize }, (_, index) =>
    Math.sin(index * 1.7),
  );
  const matrix = Float32Array.from({ length: tinyHiddenSize ** 2 }, (_, index) => Math.cos(index * 2.3));
  const rows = nodeOf("Gather", ["table", "input_ids"], "rows");
  const plain = [rows, nodeOf("MatMul", ["rows", "matrix"], "last_hidden_state")];
  const stateType = valueInfoOf("last_hidden_state", {
    dataType: onnxTypes.float32,
    dims: ["batch", "tokens", tinyHiddenSize],
  });
  const initializer = [tensorOf("table", [vocabularySize, tinyHiddenSize], table)];
  if (!quantises) initializer.push(tensorOf("matrix", [tinyHiddenSize, tinyHiddenSize], matrix));
  else initializer.push(...quantised(matrix));
  return encodeOnnx({
    irVersion: 8,
    graph: {
      name: "tiny",
      node: quantises ? [rows, ...integerProduct()] : plain,
      initializer,
      input: ["input_ids", "attention_mask"].map((name) =>
        valueInfoOf(name, { dataType: onnxTypes.int64, dims: ["batch", "tokens"] }),
      ),
      output: [stateType],
    },
    opsetImport: [{ version: opset }],
  });
}

function quantised(matrix: Float32Array): OnnxTensor[] {
  const values = Int8Array.from(matrix, (x) => Math.round(x * 127));
  return [
    tensorOf("matrix.int8", [tinyHiddenSize, tinyHiddenSize], values),
    tensorOf("matrix.scale", [1], Float32Array.of(1 / 127)),
  ];
}

function integerProduct(): OnnxNode[] {
  const toFloat: OnnxAttribute = { name: "to", type: 2, i: 1n };
  const quantise: OnnxNode = {
    ...nodeOf("DynamicQuantizeLinear", ["rows"], "rows.uint8"),
    output: ["rows.uint8", "rows.scale", "rows.zero"],
  };
  return [
    quantise,
    nodeOf("MatMulInteger", ["rows.uint8", "matrix.int8", "rows.zero"], "product"),
    nodeOf("Cast", ["product"], "product.float", [toFloat]),
    nodeOf("Mul", ["rows.scale", "matrix.scale"], "scale"),
    nodeOf("Mul", ["product.float", "scale"], "last_hidden_state"),
  ];
}

/** The files that say how it is used, beside those of the bundled model. */
export function tinyModelFiles(pooling: object): Record<string, object> {
  return {
    "config.json": { hidden_size: tinyHiddenSize, vocab_size: vocabularySize, model_type: "bert" },
    "1_Pooling/config.json": pooling,
  };
}
