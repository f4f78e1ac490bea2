import { expect, test } from "vitest";
import { adjacencyOf, type Edge } from "./adjacency.ts";
import { drawWalks } from "./walk-threads.ts";
import { Walker, walkGraph } from "./walks.ts";

const seed = 7;

async function walksOn(
  edges: readonly Edge[],
  {
    from,
    count,
    length = 3,
    p = 1,
    q = 1,
    directed = false,
  }: {
    from: string;
    count: number;
    length?: number;
    p?: number;
    q?: number;
    directed?: boolean;
  },
): Promise<string[][]> {
  const graph = await adjacencyOf(edges, { directed });
  const starts = new Uint32Array(count).fill(graph.ids.indexOf(from));
  const walks = new Int32Array(count * length);
  new Walker(walkGraph(graph), { length, p, q, seed }).walkAll(starts, 0, walks);
  return Array.from({ length: count }, (_, at) =>
    [...walks.subarray(at * length, (at + 1) * length)]
      .filter((node) => node >= 0)
      .map((node) => graph.ids[node] as string),
  );
}

/** Pearson's statistic of counts against shares. */
function chiSquare(
  counts: Readonly<Record<string, number>>,
  shares: Readonly<Record<string, number>>,
): number {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const sum = Object.values(shares).reduce((all, share) => all + share, 0);
  return Object.entries(shares).reduce((statistic, [key, share]) => {
    const expected = (total * share) / sum;
    return statistic + ((counts[key] ?? 0) - expected) ** 2 / expected;
  }, 0);
}

function countsOf(keys: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}
// At 3 degrees of freedom one draw in a thousand is beyond it.
const chiSquareMax = 16.3;

test("edges are walked as often as their weights say", async () => {
  const shares = { b: 1, c: 2, d: 3.5, e: 0.5 };
  const edges = Object.entries(shares).map(([to, weight]) => ({ from: "a", to, weight }));
  const walks = await walksOn(edges, { from: "a", count: 20_000, length: 2 });
  expect(chiSquare(countsOf(walks.map(([, next]) => next as string)), shares)).toBeLessThan(chiSquareMax);
});

// From t to v; of v's neighbours t is the way back, x is a neighbour of t too, y and z are further out (figure 2 of the paper).
const figure: Edge[] = [
  { from: "t", to: "v" },
  { from: "t", to: "x" },
  { from: "v", to: "x", weight: 2 },
  { from: "v", to: "y" },
  { from: "v", to: "z", weight: 3 },
];

test.for([
  [1, 1],
  [0.25, 4],
  [4, 0.25],
  // Most draws are rejected: the rest is drawn from the whole distribution.
  [1e-4, 1],
] as const)("the second step is weight times bias, p %f and q %f", async ([p, q]) => {
  const walks = await walksOn(figure, { from: "t", count: 60_000, p, q });
  const third = walks.filter(([, second]) => second === "v").map((walk) => walk[2] as string);
  expect(third.length).toBeGreaterThan(10_000);
  const shares = { t: 1 / p, x: 2, y: 1 / q, z: 3 / q };
  expect(chiSquare(countsOf(third), shares)).toBeLessThan(chiSquareMax);
});

/** A path of groups of three nodes, all of which know each other and the groups beside theirs. */
const ladder = Array.from({ length: 20 * 3 }, (_, at) => at).flatMap((at): Edge[] => {
  const group = Math.floor(at / 3);
  const later = Array.from({ length: 3 * (group + 2) - at - 1 }, (_, step) => at + 1 + step);
  return later.filter((other) => other < 60).map((other) => ({ from: `${at}`, to: `${other}` }));
});

async function reach(p: number, q: number): Promise<number> {
  const walks = await walksOn(ladder, { from: "30", count: 2000, length: 10, p, q });
  const groups = walks.map((walk) => new Set(walk.map((node) => Math.floor(Number(node) / 3))).size);
  return groups.reduce((sum, size) => sum + size) / groups.length;
}

test("walks go outward at a low q and stay near at a high one; at a low p they return", async () => {
  const [outward, even, near] = [await reach(1, 0.1), await reach(1, 1), await reach(1, 10)];
  expect(outward).toBeGreaterThan(even * 1.1);
  expect(near).toBeLessThan(even * 0.95);
  const returns = async (p: number) => {
    const walks = await walksOn(ladder, { from: "30", count: 2000, p });
    return walks.filter((walk) => walk[2] === walk[0]).length / walks.length;
  };
  expect(await returns(0.01)).toBeGreaterThan(0.8);
  expect(await returns(100)).toBeLessThan(0.01);
});

test("directed edges are not walked back, and a walk ends where no edge leads on", async () => {
  const edges = [
    { from: "a", to: "b" },
    { from: "b", to: "c" },
  ];
  expect(await walksOn(edges, { from: "a", count: 1, length: 5, directed: true })).toEqual([["a", "b", "c"]]);
  expect(await walksOn(edges, { from: "c", count: 1, length: 5, directed: true })).toEqual([["c"]]);
});

test("the same walks for a seed, whatever the number of threads; others for another", async () => {
  const graph = walkGraph(await adjacencyOf(ladder));
  const all = async (threads: number, drawSeed: number) => {
    const plan = { length: 5, p: 2, q: 0.5, seed: drawSeed, walksPerNode: 400, threads };
    const batches: Int32Array[] = [];
    for await (const batch of drawWalks(graph, plan)) batches.push(batch);
    return batches;
  };
  const here = await all(0, seed);
  expect(here.length).toBeGreaterThan(3);
  expect(await all(1, seed)).toEqual(here);
  expect(await all(2, seed)).toEqual(here);
  expect(await all(0, seed + 1)).not.toEqual(here);
  const starts = here.flatMap((batch) => [...batch].filter((_, at) => at % 5 === 0));
  expect(Object.values(countsOf(starts.map(String)))).toEqual(new Array(60).fill(400));
});
