import fc from "fast-check";
import { expect, test } from "vitest";
import { adjacencyOf, type Edge, edgeBetween } from "./adjacency.ts";

async function neighbours(edges: readonly Edge[], options = {}) {
  const { ids, offsets, targets, weights } = await adjacencyOf(edges, options);
  return Object.fromEntries(
    ids.map((id, node) => {
      const places = [...targets.keys()].slice(offsets[node], offsets[node + 1]);
      return [id, Object.fromEntries(places.map((at) => [ids[targets[at] as number], weights[at]]))];
    }),
  );
}

test("an edge leads both ways, or one where the graph is directed", async () => {
  const edges = [{ from: "a", to: "b" }];
  expect(await neighbours(edges)).toEqual({ a: { b: 1 }, b: { a: 1 } });
  expect(await neighbours(edges, { directed: true })).toEqual({ a: { b: 1 }, b: {} });
});

test("edges that are given more than once are one with the sum of their weights", async () => {
  const edges = [
    { from: "a", to: "b", weight: 2 },
    { from: "b", to: "a", weight: 0.5 },
    { from: "a", to: "b" },
  ];
  expect(await neighbours(edges)).toEqual({ a: { b: 3.5 }, b: { a: 3.5 } });
  expect(await neighbours(edges, { directed: true })).toEqual({ a: { b: 3 }, b: { a: 0.5 } });
});

test("an edge of a node to itself is one edge; nodes without edges are nodes", async () => {
  const graph = await neighbours([{ from: "a", to: "a", weight: 2 }], { nodes: ["c", "a", "c"] });
  expect(graph).toEqual({ c: {}, a: { a: 2 } });
});

test("nodes that are named come first, then those of edges as they come", async () => {
  const { ids } = await adjacencyOf([{ from: "x", to: "b" }], { nodes: ["a", "b"] });
  expect(ids).toEqual(["a", "b", "x"]);
});

test.for([Number.NaN, 0, -1, Number.POSITIVE_INFINITY, 1e-39])(
  "a weight of %s is refused",
  async (weight) => {
    const edges = [
      { from: "a", to: "b" },
      { from: "b", to: "c", weight },
    ];
    const message = `the edge from "b" to "c" has the weight ${weight}`;
    await expect(adjacencyOf(edges)).rejects.toMatchObject({ code: "training_data_invalid" });
    await expect(adjacencyOf(edges)).rejects.toThrow(message);
  },
);

const edge = fc.record({
  from: fc.constantFrom("a", "b", "c", "d", "e"),
  to: fc.constantFrom("a", "b", "c", "d", "e"),
  weight: fc.integer({ min: 1, max: 9 }),
});

test("every edge is there with its weight, by ascending target, and no other", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(edge), fc.boolean(), async (edges, directed) => {
      const graph = await adjacencyOf(edges, { directed });
      const { ids, offsets, targets, weights } = graph;
      const expected = new Map<string, number>();
      const add = (from: string, to: string, weight: number) =>
        expected.set(`${from} ${to}`, (expected.get(`${from} ${to}`) ?? 0) + weight);
      for (const { from, to, weight } of edges) {
        add(from, to, weight);
        if (!directed && from !== to) add(to, from, weight);
      }
      const found = new Map<string, number>();
      for (const [node, id] of ids.entries()) {
        for (let at = offsets[node] as number; at < (offsets[node + 1] as number); at += 1) {
          const target = targets[at] as number;
          found.set(`${id} ${ids[target]}`, weights[at] as number);
          expect(edgeBetween(graph, node, target)).toBe(at);
        }
        const row = targets.subarray(offsets[node], offsets[node + 1]);
        expect([...row]).toEqual([...row].sort((a, b) => a - b));
        for (const other of ids.keys())
          if (!row.includes(other)) expect(edgeBetween(graph, node, other)).toBe(-1);
      }
      expect(found).toEqual(expected);
      expect(graph.uniform).toBe(new Set(weights).size <= 1);
    }),
  );
});
