/** Words as a term of the score, by every way to search: the command line, HTTP, the client, an assistant. */
import { MedleyClient } from "@medley/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openAssistant } from "./assistant.fixture.ts";
import { jsonLines, post, type Running, Workplace } from "./medley.fixture.ts";

const collections = {
  films: {
    fields: { title: "text", plot: "text", year: "number" },
    spaces: { year: { encoder: "number", field: "year", range: [1900, 2030] } },
    texts: { words: { fields: { title: "A", plot: "B" }, language: "english" } },
  },
};
const films = [
  { id: "heat", title: "Heat", plot: "A detective hunts bank robbers before their last heist", year: 1995 },
  { id: "heist", title: "The Heist", plot: "Thieves rob a bank, and each other", year: 2001 },
  { id: "fargo", title: "Fargo", plot: "A car salesman has his wife kidnapped", year: 1996 },
  { id: "comedy", title: "Bank Heist", plot: "A comedy of errors", year: 1961 },
];

let workplace: Workplace;
let up: Running;
let client: MedleyClient;

beforeAll(async () => {
  workplace = new Workplace({ collections });
  workplace.write("films.jsonl", jsonLines(films));
  expect((await workplace.runJson(["backfill", "films.jsonl"])).data).toMatchObject({ indexed: 4 });
  up = await workplace.up();
  client = new MedleyClient({ url: up.httpUrl });
});
afterAll(() => workplace[Symbol.asyncDispose]());

const idsOf = ({ hits }: { readonly hits: readonly { readonly id: string }[] }) => hits.map(({ id }) => id);

test("over HTTP: words alone find what matches, beside a part they move hits, with pages and in batches", async () => {
  const alone = await client.search("films", { texts: { words: "bank heist -comedy" } });
  expect(idsOf(alone)).toEqual(["heist", "heat"]);
  const year = await client.search("films", { parts: { year: 1996 } });
  expect(idsOf(year)[0]).toBe("fargo");
  const asked = { parts: { year: 1996 }, texts: { words: "heist" }, weights: { words: 2 }, k: 2 };
  const first = await client.search("films", asked);
  expect(idsOf(first)).toEqual(["heist", "comedy"]);
  const [hit] = first.hits;
  expect(hit?.contributions.words).toBeCloseTo(2 * 0.5, 6);
  expect(hit?.score).toBeCloseTo((hit?.contributions.words ?? 0) + (hit?.contributions.year ?? 0), 6);
  const next = await client.search("films", { ...asked, after: first.cursor as string });
  expect(idsOf(next)).toEqual(["heat", "fargo"]);
  await expect(
    client.search("films", { ...asked, texts: { words: "bank" }, after: first.cursor as string }),
  ).rejects.toMatchObject({ code: "query_invalid", message: "the cursor belongs to another search" });
  const batch = await client.searchAll("films", [asked, { texts: { words: "of the" } }]);
  expect(batch).toMatchObject([{ hits: first.hits }, { error: { code: "query_invalid" } }]);
  const { body } = await post(`${up.httpUrl}/v1/collections/films/explain`, { texts: { words: "heist" } });
  expect(body.plan.paths).toMatchObject([{ path: "words", kind: "words" }]);
});

test("on the command line: --text and --weight, with what each adds", async () => {
  const args = ["search", "films", "--year", "1996", "--text", "words=heist", "--weight", "words=2"];
  const { data } = await workplace.runJson(args);
  expect(idsOf(data as never)).toEqual(["heist", "comedy", "heat", "fargo"]);
  const { stdout } = await workplace.run([...args, "--explain"]);
  expect(stdout).toMatch(/score +year +words/);
  expect(stdout).toMatch(/scans \d+ rows exactly.*; ranks about \d+ rows that match words/);
  const { code, stderr } = await workplace.run(["search", "films", "--text", "wrods=heist"]);
  expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining('"words"')]);
  expect(code).not.toBe(0);
});

test("for an assistant: it is told of the texts, and searches by them", async () => {
  const assistant = await openAssistant(workplace);
  const call = async (name: string, given: Record<string, unknown> = {}) => {
    const { content } = await assistant.callTool({ name, arguments: given });
    return (content as [{ text: string }])[0].text;
  };
  const [{ texts }] = JSON.parse(await call("collections")).collections;
  expect(texts).toMatchObject([{ name: "words", language: "english" }]);
  const asked = { collection: "films", texts: { words: "kidnapping" } };
  expect(JSON.parse(await call("search", asked)).hits).toMatchObject([{ id: "fargo" }]);
  expect(JSON.parse(await call("explain", { ...asked, id: "fargo" })).contributions.words).toBeGreaterThan(0);
  expect(await call("explain", { ...asked, id: "heat" })).toContain("it does not match");
  await assistant.close();
});
