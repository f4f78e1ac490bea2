import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { locateModel } from "@medley/models";
import { decodeOnnx, encodeOnnx } from "@medley/models/onnx";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { findBlockCut, partAfterCut } from "./blocks.ts";

const { directory, modelFile } = await locateModel("all-MiniLM-L6-v2", {});
const bytes = await readFile(join(directory, modelFile));
const output = "last_hidden_state";

/** The model with its nodes and weights named otherwise. */
function renamed(nodeName: (name: string) => string, tensorName: (name: string) => string): Uint8Array {
  const model = decodeOnnx(bytes);
  for (const node of model.graph.node) {
    node.name = nodeName(node.name ?? "");
    node.input = node.input.map(tensorName);
    node.output = node.output.map(tensorName);
  }
  for (const tensor of model.graph.initializer) tensor.name = tensorName(tensor.name as string);
  return encodeOnnx(model);
}

test.each([1, 2, 6])("the last %d blocks are cut where the block before them ends", (blocks) => {
  const cut = findBlockCut(bytes, { output, blocks, path: "model.onnx" });
  const before = blocks === 6 ? "/embeddings/LayerNorm" : `/encoder/layer.${5 - blocks}/output/LayerNorm`;
  expect(cut).toEqual({
    ...{ output, blocks, blockCount: 6 },
    tensor: `${before}/Add_1_output_0`,
    inputs: ["attention_mask"],
  });
});

test("exporters' other names are understood, also those of the weights alone", () => {
  const names = (to: string) => (name: string) => name.replace(/encoder[./]layer\./, to);
  for (const to of ["h.", "transformer/layers.", "blocks."]) {
    const { tensor } = findBlockCut(renamed(names(to), names(to)), { output, blocks: 2, path: "model.onnx" });
    expect(tensor).toContain(`${to}3/output`);
  }
  const weightsOnly = renamed(
    () => "",
    (name) => (name.startsWith("/") ? name.replace(/layer\.(\d)/, "part$1") : name),
  );
  const { tensor } = findBlockCut(weightsOnly, { output, blocks: 2, path: "model.onnx" });
  expect(tensor).toBe("/encoder/part3/output/LayerNorm/Add_1_output_0");
});

test.each([
  [
    renamed(
      () => "",
      (name) => name.replace(/layer\./, "part"),
    ),
    2,
    "none of its nodes says",
  ],
  [bytes, 7, "it has 6 blocks, not 7"],
])("what can't be cut is refused with the reason", (model, blocks, message) => {
  expect(() => findBlockCut(model, { output, blocks, path: "model.onnx" })).toThrow(
    expect.objectContaining({ code: "training_unsupported", message: expect.stringContaining(message) }),
  );
});

test("the part after the cut goes on from the tensor as the whole model does", {
  timeout: 60_000,
}, async () => {
  const cut = findBlockCut(bytes, { output, blocks: 1, path: "model.onnx" });
  const model = decodeOnnx(bytes);
  model.graph.output.push({ name: cut.tensor });
  const tokens = [1, 4];
  const int64 = (values: readonly number[]) =>
    new Tensor("int64", BigInt64Array.from(values, BigInt), tokens);
  const attention_mask = int64([1, 1, 1, 0]);
  const whole = await (await InferenceSession.create(encodeOnnx(model))).run({
    ...{ input_ids: int64([101, 2023, 102, 0]), attention_mask, token_type_ids: int64([0, 0, 0, 0]) },
  });
  const part = await InferenceSession.create(partAfterCut(bytes, cut, 384));
  const rest = await part.run({ [cut.tensor]: whole[cut.tensor] as Tensor, attention_mask });
  const [a, b] = [whole[output]?.data as Float32Array, rest[output]?.data as Float32Array];
  expect(b.length).toBe(4 * 384);
  expect(Math.max(...a.map((value, at) => Math.abs(value - (b[at] as number))))).toBeLessThan(1e-5);
});
