import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readBeir } from "./beir.ts";

function folderOf({
  queries,
  judgements,
}: {
  queries: readonly unknown[];
  judgements: readonly string[];
}): string {
  const folder = mkdtempSync(join(tmpdir(), "medley-beir-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "qrels"));
  writeFileSync(join(folder, "queries.jsonl"), queries.map((query) => `${JSON.stringify(query)}\n`).join(""));
  writeFileSync(join(folder, "qrels/test.tsv"), ["query-id\tcorpus-id\tscore", ...judgements, ""].join("\n"));
  return folder;
}

test("queries with something relevant, in the order of their file, with their grades, parts and class", async () => {
  const folder = folderOf({
    queries: [
      { _id: "q2", text: "two", parts: { year: 1 }, class: "brand", metadata: {} },
      { _id: "q3", text: "only what is not relevant" },
      { _id: "q4", text: "not judged" },
      { _id: "q1", text: "one" },
    ],
    judgements: ["q1\ta\t1", "q2\tb\t2", "q2\tc\t0", "q3\ta\t0"],
  });
  expect(await readBeir(folder, { split: "test" })).toEqual([
    {
      id: "q2",
      text: "two",
      parts: { year: 1 },
      class: "brand",
      grades: new Map([
        ["b", 2],
        ["c", 0],
      ]),
    },
    { id: "q1", text: "one", parts: {}, class: null, grades: new Map([["a", 1]]) },
  ]);
});

const good = { queries: [{ _id: "q", text: "t" }], judgements: ["q\ta\t1"] };

test.for([
  ["no relevant record", { ...good, judgements: ["other\ta\t1"] }, "usage", "no query has a relevant record"],
  ["a query without text", { ...good, queries: [{ _id: "q" }] }, "usage", "queries.jsonl:1"],
  [
    "parts that are none",
    { ...good, queries: [{ _id: "q", text: "t", parts: [] }] },
    "usage",
    "queries.jsonl:1",
  ],
  [
    "a class that is none",
    { ...good, queries: [{ _id: "q", text: "t", class: 7 }] },
    "usage",
    "queries.jsonl:1",
  ],
  [
    "more classes than weights are learned for",
    {
      queries: Array.from({ length: 33 }, (_, n) => ({ _id: `q${n}`, text: "t", class: `c${n}` })),
      judgements: Array.from({ length: 33 }, (_, n) => `q${n}\ta\t1`),
    },
    "usage",
    "33 classes, at most 32",
  ],
  ["a grade that is none", { ...good, judgements: ["q\ta\t1", "q\tb\tgood"] }, "usage", "test.tsv:3"],
  ["a line without its columns", { ...good, judgements: ["q\ta"] }, "usage", "test.tsv:2"],
] as const)("%s", async ([, files, code, said]) => {
  const reading = readBeir(folderOf(files), { split: "test" });
  await expect(reading).rejects.toMatchObject({ code, message: expect.stringContaining(said) });
});

test("files that are not there are named", async () => {
  const reading = readBeir(folderOf(good), { split: "dev" });
  await expect(reading).rejects.toMatchObject({
    code: "source_unreadable",
    message: expect.stringContaining("dev.tsv"),
  });
});
