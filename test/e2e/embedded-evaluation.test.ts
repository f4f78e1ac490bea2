/** `medley eval` on a folder in BEIR's format: loaded by a backfill, judged, ablated, written as a run. */
import { mkdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

const config = {
  collections: {
    papers: {
      id: "_id",
      unknownKeys: "ignore",
      fields: { title: "text", text: "text", year: "number" },
      spaces: {
        words: { encoder: "text", field: ["title", "text"] },
        year: { encoder: "number", field: "year", range: [1900, 2100] },
      },
    },
  },
};

const corpus = [
  { _id: "sea", title: "Sailing", text: "ships and storms at sea", year: 1910, metadata: {} },
  { _id: "bread", title: "Baking", text: "how bread rises in the oven", year: 1950, metadata: {} },
  { _id: "bread2", title: "Baking", text: "how bread rises in the oven", year: 2090, metadata: {} },
  { _id: "stars", title: "Astronomy", text: "light of distant stars", year: 1990, metadata: {} },
];
const queries = [
  { _id: "q1", text: "a boat in a storm" },
  // Told from its twin by the year alone.
  { _id: "q2", text: "baking bread", parts: { year: 2090 } },
  { _id: "q3", text: "nobody judged this one" },
  // A query that is a record itself does not find itself.
  { _id: "bread", text: "how bread rises in the oven" },
];
const judgements = [
  "query-id\tcorpus-id\tscore",
  "q1\tsea\t1",
  "q2\tbread2\t2",
  "q2\tsea\t0",
  "bread\tbread2\t1",
  "q3\tsea\t0",
];

let workplace: Workplace;

beforeAll(async () => {
  workplace = new Workplace(config);
  mkdirSync(workplace.path("beir/qrels"), { recursive: true });
  workplace.write("beir/corpus.jsonl", jsonLines(corpus));
  workplace.write("beir/queries.jsonl", jsonLines(queries));
  workplace.write("beir/qrels/test.tsv", `${judgements.join("\n")}\n`);
  const filled = await workplace.runJson(["backfill", "beir/corpus.jsonl", "-c", "papers"]);
  expect(filled.data).toMatchObject({ indexed: 4, deadLetters: 0 });
});
afterAll(() => workplace[Symbol.asyncDispose]());

test("judged queries by all spaces, each alone and all but each, and the run that pytrec_eval reads", async () => {
  const { data, error } = await workplace.runJson([
    "eval",
    "papers",
    "--beir",
    "beir",
    "-k",
    "3",
    "--run",
    "papers.run",
  ]);
  expect(error).toBe(null);
  expect(data).toMatchObject({ collection: "papers", queries: 3, k: 3, missingRecords: 0 });
  const byName = Object.fromEntries(data.weightings.map((one: { name: string }) => [one.name, one]));
  expect(Object.keys(byName)).toEqual(["all", "only words", "without words", "only year", "without year"]);
  expect(byName.all).toMatchObject({
    ndcg10: 1,
    recall10: 1,
    mrr10: 1,
    toAll: null,
    weights: { words: 1, year: 1 },
  });
  // Of the twins that words can't tell apart, the one that comes first by id is not the relevant one.
  const words = byName["only words"];
  expect(words.ndcg10).toBeCloseTo((1 + 1 / Math.log2(3) + 1) / 3, 6);
  expect(words.mrr10).toBeCloseTo((1 + 0.5 + 1) / 3, 6);
  expect(words.toAll.difference).toBeCloseTo(words.ndcg10 - 1, 6);
  expect(byName["without year"]).toMatchObject({ ndcg10: words.ndcg10, weights: { words: 1, year: 0 } });
  const lines = readFileSync(workplace.path("papers.run"), "utf8").trim().split("\n");
  expect(lines).toHaveLength(9);
  expect(lines[0]).toMatch(/^q1 Q0 sea 1 -?[\d.e-]+ medley$/);
  expect(lines.map((line) => line.split(" ").slice(0, 3).join(" "))).not.toContain("bread Q0 bread");
});

test("for people: a row per weighting, and what the collection lacks", async () => {
  workplace.write("beir/qrels/more.tsv", `${[...judgements, "q1\tlost\t1"].join("\n")}\n`);
  const asked = ["eval", "papers", "--beir", "beir", "--split", "more", "-w", "year=0"];
  const { stdout } = await workplace.run(asked);
  const [head, all, ...rest] = stdout.split("\n");
  expect(head).toMatch(/^weights +nDCG@10 +recall@10 +recall@100 +MRR@10 +nDCG@10 to all, 95%$/);
  expect(all).toMatch(/^all +0\.748 +0\.833 +0\.833 +0\.833$/);
  // With the year left out there is one space, and nothing to leave out.
  const note = "relevant records that are not in papers: 1, such as lost; load them before you compare";
  expect(rest).toEqual(["", note, ""]);
});
