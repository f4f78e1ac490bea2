import { decodeOnnx } from "@medley/models/onnx";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { Graph } from "./graph.ts";
import { replaceTensors } from "./replace-tensors.ts";
import { openDimension } from "./shape.ts";

/** x [batch, 3] times a matrix that is stored transposed, plus a stored bias. */
function model(): { bytes: Uint8Array; matrix: string; bias: string } {
  const graph = new Graph({ trained: new Map() });
  const stored = graph.constant(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  const matrix = stored.transposed();
  const bias = graph.constant(Float32Array.of(10, 20), [2]);
  const out = graph.input("x", [openDimension, 3]).matmul(matrix).add(bias);
  return { bytes: graph.model(new Map([["out", out]])), matrix: matrix.name, bias: bias.name };
}

async function run(bytes: Uint8Array, rows: number): Promise<number[]> {
  const session = await InferenceSession.create(bytes);
  const x = new Tensor("float32", new Float32Array(rows * 3).fill(1), [rows, 3]);
  const { out } = await session.run({ x });
  return Array.from(out?.data as Float32Array);
}

test("stored and computed tensors are replaced; the batch stays open", async () => {
  const { bytes, matrix, bias } = model();
  expect(await run(bytes, 1)).toEqual([16, 35]);
  const replaced = replaceTensors(
    bytes,
    new Map([
      [matrix, { dims: [3, 2], data: Float32Array.of(1, 0, 1, 0, 1, 0) }],
      [bias, { dims: [2], data: Float32Array.of(0, 7) }],
    ]),
  );
  expect(await run(replaced, 1)).toEqual([3, 7]);
  expect(await run(replaced, 2)).toEqual([3, 7, 3, 7]);
});

test("what only led to a replaced tensor is left out", () => {
  const { bytes, matrix } = model();
  const data = new Float32Array(6);
  const { graph } = decodeOnnx(replaceTensors(bytes, new Map([[matrix, { dims: [3, 2], data }]])));
  expect(graph.node.map(({ opType }) => opType)).not.toContain("Transpose");
  expect(graph.initializer.map(({ dims }) => dims.join())).not.toContain("2,3");
});

test("a file without replacements computes the same", async () => {
  const { bytes } = model();
  expect(await run(replaceTensors(bytes, new Map()), 1)).toEqual(await run(bytes, 1));
});

test("a name that the file does not have is refused", () => {
  const data = new Float32Array(1);
  expect(() => replaceTensors(model().bytes, new Map([["nothing", { dims: [1], data }]]))).toThrow(
    "the file has a tensor nothing",
  );
});
