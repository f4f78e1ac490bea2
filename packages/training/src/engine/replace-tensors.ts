import { strict as assert } from "node:assert";
import { decodeOnnx, encodeOnnx, tensorOf, tensorsNeeded } from "@medley/models/onnx";

/** Row-major values of a tensor. */
export interface ReplacedTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/**
 * An ONNX file with other values in the place of some tensors, by name: stored weights, or what the file computes (from
 * int8, or transposed). Each becomes a float32 initializer, and what only led to it is left out; inputs, outputs and all
 * other nodes stay as they are, open dimensions included. A name that the file does not have is an assertion.
 */
export function replaceTensors(
  bytes: Uint8Array,
  tensors: ReadonlyMap<string, ReplacedTensor>,
): Uint8Array<ArrayBufferLike> {
  const model = decodeOnnx(bytes);
  const { graph } = model;
  const known = new Set([
    ...graph.initializer.map(({ name }) => name as string),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  for (const name of tensors.keys()) assert(known.has(name), `the file has a tensor ${name}`);
  const node = graph.node.filter(({ output }) => !output.every((name) => name === "" || tensors.has(name)));
  for (const { output } of node)
    assert(!output.some((name) => tensors.has(name)), `${output} is made by a node of several outputs`);
  const kept = tensorsNeeded(
    { ...graph, node },
    graph.output.map(({ name }) => name),
  );
  graph.node = node.filter(({ output }) => output.some((name) => kept.has(name)));
  graph.initializer = [
    ...graph.initializer.filter(({ name }) => kept.has(name as string) && !tensors.has(name as string)),
    ...[...tensors].map(([name, { dims, data }]) => tensorOf(name, dims, data)),
  ];
  // Before IR version 4 an initializer is an input as well; values written down for tensors that are gone are refused.
  graph.input = graph.input.filter(({ name }) => !tensors.has(name));
  graph.valueInfo = graph.valueInfo?.filter(({ name }) => kept.has(name) && !tensors.has(name)) ?? [];
  return encodeOnnx(model);
}
