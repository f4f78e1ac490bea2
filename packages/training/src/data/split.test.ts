import fc from "fast-check";
import { expect, test } from "vitest";
import { checkLeaks, type SplitRow, splitParts } from "./parts.ts";
import { splitRows } from "./split.ts";

const shares = { train: 0.7, validation: 0.1, test: 0.2 };

const rowsOf = (count: number, rest: (row: number) => Partial<SplitRow> = () => ({})): SplitRow[] =>
  Array.from({ length: count }, (_, row) => ({ id: `r${row}`, ...rest(row) }));

const invalid = (words: string) =>
  expect.objectContaining({ code: "training_data_invalid", message: expect.stringContaining(words) });

test("at random: each row in one part, the shares kept, the same for a seed and another for another", () => {
  const rows = rowsOf(1000);
  const split = splitRows(rows, { by: "random", shares, seed: 1 });
  expect(splitParts.map((part) => split[part].length)).toEqual([700, 100, 200]);
  const all = splitParts.flatMap((part) => [...split[part]]).sort((a, b) => a - b);
  expect(all).toEqual([...rows.keys()]);
  expect(splitRows(rows, { by: "random", shares, seed: 1 })).toEqual(split);
  expect(splitRows(rows, { by: "random", shares, seed: 2 })).not.toEqual(split);
  expect(split.test).not.toEqual(Int32Array.from(split.test, (_, at) => 800 + at));
});

test("stratified: each class's rows keep the shares within one row, and so do all rows together", () => {
  const counts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(counts, fc.integer({ min: 0, max: 99 }), (sizes, seed) => {
      fc.pre(sizes.reduce((sum, size) => sum + size) >= 30);
      const rows = sizes.flatMap((size, of) => rowsOf(size, () => ({ class: `c${of}` })));
      const unique = rows.map((row, at) => ({ ...row, id: `r${at}` }));
      const split = splitRows(unique, { by: "random", shares, seed });
      for (const part of splitParts) {
        expect(Math.abs(split[part].length - shares[part] * rows.length)).toBeLessThanOrEqual(1);
        for (const [of, size] of sizes.entries()) {
          const got = split[part].filter((row) => unique[row]?.class === `c${of}`).length;
          expect(Math.abs(got - shares[part] * size)).toBeLessThan(2);
        }
      }
    }),
  );
});

test("by group: no group is torn, shares and classes are kept nearly", () => {
  const rows = rowsOf(2000, (row) => ({ group: `g${row % 200}`, class: row % 200 < 40 ? "rare" : "common" }));
  const split = splitRows(rows, { by: "group", shares, seed: 3 });
  for (const part of splitParts) {
    expect(Math.abs(split[part].length / 2000 - shares[part])).toBeLessThan(0.03);
    const rare = split[part].filter((row) => rows[row]?.class === "rare").length;
    expect(Math.abs(rare / 400 - shares[part])).toBeLessThan(0.05);
  }
  expect(splitRows(rows, { by: "group", shares, seed: 4 })).not.toEqual(split);
});

test("by group: one that is larger than a part goes where it fits best, and a part left empty is an error", () => {
  const rows = rowsOf(100, (row) => ({ group: row < 60 ? "large" : `g${row % 8}` }));
  const split = splitRows(rows, { by: "group", shares, seed: 1 });
  expect([...split.train].filter((row) => row < 60).length).toBe(60);
  const two = rowsOf(10, (row) => ({ group: `g${row % 2}` }));
  expect(() => splitRows(two, { by: "group", shares, seed: 1 })).toThrow(invalid("leave none for"));
});

test("by time: the oldest train, the newest test, rows of one moment stay together", () => {
  const rows = rowsOf(100, (row) => ({ timeMs: (row * 37) % 100 }));
  const split = splitRows(rows, { by: "time", shares, seed: 1 });
  const times = (part: "train" | "validation" | "test") =>
    [...split[part]].map((row) => rows[row]?.timeMs ?? 0);
  expect(splitParts.map((part) => split[part].length)).toEqual([70, 10, 20]);
  expect(Math.max(...times("train"))).toBeLessThan(Math.min(...times("validation")));
  expect(Math.max(...times("validation"))).toBeLessThan(Math.min(...times("test")));
  const coarse = rowsOf(100, (row) => ({ timeMs: Math.floor(row / 15) }));
  const parts = splitRows(coarse, { by: "time", shares, seed: 1 });
  expect(splitParts.map((part) => parts[part].length)).toEqual([60, 15, 25]);
});

test("a part without a share stays empty", () => {
  const rows = rowsOf(20, (row) => ({ group: `g${row}`, timeMs: row }));
  for (const by of ["random", "group", "time"] as const) {
    const split = splitRows(rows, { by, shares: { train: 0.8, validation: 0.2, test: 0 }, seed: 1 });
    expect(splitParts.map((part) => split[part].length)).toEqual([16, 4, 0]);
  }
});

test("an id or a group in two parts is counted and named", () => {
  const twice = rowsOf(100).map((row, at) => ({ ...row, id: `r${at % 50}` }));
  expect(() => splitRows(twice, { by: "random", shares, seed: 1 })).toThrow(
    invalid('ids in two parts of the split, first "r'),
  );
  const split = { train: Int32Array.of(0, 1), validation: Int32Array.of(2), test: Int32Array.of(3) };
  const rows = [
    { id: "a", group: "x" },
    { id: "b", group: "y" },
    { id: "c", group: "x" },
    { id: "d", group: "x" },
  ];
  expect(() => checkLeaks(rows, split)).toThrow(
    invalid('1 group in two parts of the split, first "x" in train and'),
  );
  expect(() => checkLeaks([...rows.slice(0, 3), { id: "a" }], split)).toThrow(
    invalid('1 id in two parts of the split, first "a" in train and test'),
  );
  expect(() =>
    checkLeaks(
      rows
        .slice(0, 3)
        .map(({ id }) => ({ id }))
        .concat({ id: "d" }),
      split,
    ),
  ).not.toThrow();
});

test.for([
  ["group", "lacks a group"],
  ["time", "lacks a time"],
] as const)("by %s, a row %s", ([by, words]) => {
  expect(() => splitRows(rowsOf(10), { by, shares, seed: 1 })).toThrow(invalid(words));
});

test("nothing can't be split", () => {
  for (const by of ["random", "group", "time"] as const) {
    expect(() => splitRows([], { by, shares, seed: 1 })).toThrow(invalid("leave none for train"));
  }
});
