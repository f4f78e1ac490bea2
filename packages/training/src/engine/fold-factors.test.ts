import { expect, test } from "vitest";
import { drawn, normals, runGraph } from "../series/run-graph.fixture.ts";
import { foldFactors } from "./fold-factors.ts";
import type { Graph } from "./graph.ts";
import { linear } from "./layers.ts";
import { sizeOf } from "./shape.ts";
import type { Value } from "./value.ts";

const shape = [64, 8];
const x = { shape, data: normals(sizeOf(shape)) };

/** What comes of it before and after, and how many numbers its products with a number give. */
async function folded(build: (x: Value) => readonly Value[]) {
  const parameters = drawn((graph) => build(graph.input("x", shape)));
  const run = (after: (graph: Graph, wanted: readonly Value[]) => void) =>
    runGraph(
      { x },
      (graph, { x: input }) => {
        const outputs = build(input as Value);
        after(graph, outputs);
        return Object.fromEntries(outputs.map((value, at) => [`y${at}`, value]));
      },
      { trained: parameters },
    );
  const before = await run(() => {});
  const sizes = { before: 0, after: 0 };
  const multiplied = (graph: Graph) =>
    graph.nodes
      .filter(
        ({ opType, inputs }) => opType === "Mul" && inputs.some((one) => one && graph.numberOf(one) !== null),
      )
      .reduce((sum, { outputs }) => sum + sizeOf((outputs[0] as Value).shape), 0);
  const after = await run((graph, wanted) => {
    sizes.before = multiplied(graph);
    foldFactors(graph, wanted);
    sizes.after = multiplied(graph);
  });
  for (const [name, values] of Object.entries(before))
    for (const [at, value] of values.entries()) expect(after[name]?.[at]).toBeCloseTo(value, 5);
  return sizes;
}

test("a factor goes into the matrix and the bias before it, or into the matrix after it", async () => {
  expect(await folded((input) => [linear("a", input, 4).mul(3)])).toEqual({ before: 256, after: 32 + 4 });
  expect(await folded((input) => [linear("a", input, 4, { bias: false }).mul(3)])).toEqual({
    before: 256,
    after: 32,
  });
  expect(await folded((input) => [linear("a", input.mul(3), 4)])).toEqual({ before: 512, after: 32 });
});

test("both of a gelu's numbers go into the matrices around it", async () => {
  const build = (input: Value) => [linear("b", linear("a", input, 16).gelu(), 4)];
  expect(await folded(build)).toEqual({ before: 2 * 1_024, after: 8 * 16 + 16 + 16 * 4 });
});

test("what is wanted as it is, or taken by others, stays", async () => {
  const taken = await folded((input) => {
    const y = linear("a", input, 4);
    return [y.mul(3), y];
  });
  expect(taken).toEqual({ before: 256, after: 256 });
  const scaled = await folded((input) => {
    const y = input.mul(3);
    return [linear("a", y, 4), y.exp()];
  });
  expect(scaled).toEqual({ before: 512, after: 512 });
  const gelus = await folded((input) => {
    const y = linear("a", input, 16);
    return [y.gelu(), y.exp()];
  });
  expect(gelus).toEqual({ before: 2_048, after: 2_048 });
});

test("a matrix that is larger than the batch is left alone", async () => {
  expect(await folded((input) => [linear("a", input, 100).mul(3)])).toEqual({ before: 6_400, after: 6_400 });
});
