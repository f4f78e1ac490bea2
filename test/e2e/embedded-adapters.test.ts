/** Adapters of other ecosystems, each by its real package, against one `medley up`. */
import { medleyEmbedding } from "@medley/ai-sdk";
import { MedleyClient } from "@medley/client";
import { MedleyVectorStore } from "@medley/langchain";
import { cosineSimilarity, embed, embedMany } from "ai";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openAssistant } from "./assistant.fixture.ts";
import { type Running, until, Workplace } from "./medley.fixture.ts";

const config = {
  collections: {
    notes: {
      fields: { text: "text", year: "number", kinds: "categories" },
      spaces: {
        text: { encoder: "text", field: "text" },
        year: { encoder: "number", field: "year", range: [1900, 2100], weight: 0 },
      },
    },
  },
};

let workplace: Workplace;
let up: Running;
let client: MedleyClient;
let store: MedleyVectorStore;

beforeAll(async () => {
  workplace = new Workplace(config);
  up = await workplace.up();
  client = new MedleyClient({ url: up.httpUrl });
  store = new MedleyVectorStore({ client, collection: "notes", space: "text" });
});
afterAll(() => workplace[Symbol.asyncDispose]());

const documents = [
  { id: "bank", pageContent: "Thieves rob a bank in the city", metadata: { year: 1995, kinds: ["crime"] } },
  { id: "sea", pageContent: "A ship is lost at sea", metadata: { year: 1955, kinds: ["adventure"] } },
  { pageContent: "Two friends open a bakery", metadata: { year: 2005, kinds: ["comedy"] } },
];

async function untilFound(count: number): Promise<void> {
  await until(
    () => store.similaritySearch("anything", 10),
    (found) => found.length === count,
  );
}

test("LangChain: documents are added, found by words, filtered, weighted, retrieved and deleted", async () => {
  const ids = await store.addDocuments(documents);
  expect(ids.slice(0, 2)).toEqual(["bank", "sea"]);
  await untilFound(3);
  const [first] = await store.similaritySearchWithScore("bank robbery", 2);
  expect(first?.[0]).toEqual({ ...documents[0], metadata: { year: 1995, kinds: ["crime"] } });
  const { hits } = await client.search("notes", { parts: { text: "bank robbery" }, k: 1 });
  expect(first?.[1]).toBeCloseTo(hits[0]?.score ?? Number.NaN, 6);
  expect(await store.similaritySearch("bank robbery", 5, { year: { lt: 1960 } })).toMatchObject([
    { id: "sea" },
  ]);
  const late = store.withQuery({ parts: { year: 2100 }, weights: { text: 0, year: 1 } });
  expect((await late.similaritySearch("bank robbery", 3)).map(({ id }) => id)).toEqual([
    ids[2],
    "bank",
    "sea",
  ]);
  const both = await store.maxMarginalRelevanceSearch("bank robbery", { k: 2, lambda: 0.1 });
  expect(both[0]?.id).toBe("bank");
  expect(await store.maxMarginalRelevanceSearch("bank robbery", { k: 3, lambda: 1 })).toEqual(
    await store.similaritySearch("bank robbery", 3),
  );
  const retrieved = await store.asRetriever({ k: 1, filter: { kinds: "comedy" } }).invoke("bank robbery");
  expect(retrieved).toMatchObject([{ id: ids[2], pageContent: "Two friends open a bakery" }]);
  await store.delete({ ids: ["sea"] });
  await untilFound(2);
});

test("LangChain: a vector of the store's own embeddings finds what the words find; others are refused", async () => {
  const vector = await store.embeddings.embedQuery("bank robbery");
  const byVector = await store.similaritySearchVectorWithScore(vector, 2);
  const byWords = await store.similaritySearchWithScore("bank robbery", 2);
  expect(byVector.map(([{ id }]) => id)).toEqual(byWords.map(([{ id }]) => id));
  expect(byVector[0]?.[1]).toBeCloseTo(byWords[0]?.[1] ?? Number.NaN, 5);
  await expect(store.similaritySearchVectorWithScore([1, 2], 2)).rejects.toMatchObject({
    code: "query_invalid",
    message: expect.stringContaining("384"),
  });
  const elsewhere = new MedleyVectorStore({ client, collection: "notes", space: "txt" });
  await expect(elsewhere.embeddings.embedQuery("x")).rejects.toMatchObject({ code: "query_invalid" });
  await expect(store.addVectors()).rejects.toMatchObject({ code: "usage" });
});

test("LangChain: a document that does not fit the collection is refused by name, the others are taken", async () => {
  const misfit = { pageContent: "x", metadata: { yeer: 1 } };
  await expect(store.addDocuments([{ pageContent: "fits", metadata: {} }, misfit])).rejects.toMatchObject({
    code: "record_invalid",
    message: expect.stringMatching(/1 of 2 .*number 1.*yeer/),
  });
});

test("AI SDK: embed and embedMany give the space's own segments", async () => {
  const options = { client, collection: "notes", space: "text" };
  const { embedding } = await embed({ model: medleyEmbedding(options), value: "bank robbery" });
  const { embeddings } = await embedMany({
    model: medleyEmbedding({ ...options, as: "record" }),
    values: Array.from({ length: 70 }, (_, n) => (n === 0 ? "Thieves rob a bank in the city" : `note ${n}`)),
  });
  expect([embedding.length, embeddings.length]).toEqual([384, 70]);
  const { hits } = await client.search("notes", { parts: { text: "bank robbery" }, filter: { id: "bank" } });
  expect(cosineSimilarity(embedding, embeddings[0] as number[])).toBeCloseTo(hits[0]?.score ?? Number.NaN, 3);
  const sql = new pg.Client({ connectionString: up.connectionString });
  await sql.connect();
  const { rows } = await sql.query(
    "select medley.segment(embedding, 'notes', 'text') from medley.notes where id = 'bank'",
  );
  await sql.end();
  const stored = JSON.parse(rows[0].segment) as number[];
  expect(cosineSimilarity(stored, embeddings[0] as number[])).toBeGreaterThan(0.999999);
});

test("AI SDK: a space that is not there is an error with its mend", async () => {
  const model = medleyEmbedding({ client, collection: "notes", space: "txt" });
  await expect(embed({ model, value: "x", maxRetries: 0 })).rejects.toMatchObject({ code: "query_invalid" });
});

test("MCP: an assistant lists collections, searches and asks why, and can't write", async () => {
  const assistant = await openAssistant(workplace);
  const call = async (name: string, given: Record<string, unknown> = {}) => {
    const { isError = false, content } = await assistant.callTool({ name, arguments: given });
    const [{ text }] = content as [{ text: string }];
    return { isError, text, said: isError ? null : JSON.parse(text) };
  };
  const { tools } = await assistant.listTools();
  expect(tools.map(({ name }) => name)).toEqual(["collections", "search", "explain"]);
  expect(tools.every(({ annotations }) => annotations?.readOnlyHint)).toBe(true);
  const listed = await call("collections");
  expect(listed.said.collections).toMatchObject([
    { name: "notes", fields: { text: "text", year: "number" } },
  ]);

  const asked = { collection: "notes", words: "bank robbery", parts: { year: 2100 }, weights: { year: 0.5 } };
  const { said } = await call("search", { ...asked, filter: { year: { gte: 1990 } }, k: 1 });
  expect(said).toMatchObject({
    leftOut: 0,
    hits: [{ id: "bank", fields: { year: 1995, kinds: ["crime"] } }],
  });
  const [{ score, contributions }] = said.hits;
  expect(contributions.text + contributions.year).toBeCloseTo(score, 6);
  const why = await call("explain", { ...asked, id: "bank" });
  expect(why.said).toEqual(said.hits[0]);

  const like = { collection: "notes", like: ["bank"], unlike: "bank", k: 1 };
  const [first, { said: next }] = [await call("search", like), await call("search", { ...like, k: 2 })];
  const after = await call("search", { ...like, after: first.said.cursor });
  expect([...first.said.hits, ...after.said.hits]).toEqual(next.hits);
  expect(await call("explain", { ...asked, id: "nobody" })).toMatchObject({
    isError: true,
    text: 'notes has no record "nobody" [not_found]',
  });
  expect((await call("search", { ...asked, collection: "note" })).text).toContain("known: notes");
  expect((await call("search", { ...asked, filter: { yeer: 1 } })).text).toContain('no field "yeer"');
  expect((await call("search", { ...asked, k: 51 })).isError).toBe(true);
  await assistant.close();
});

test("MCP: where no Medley serves, the command says what to start", async () => {
  await using empty = new Workplace(config);
  const { code, stderr } = await empty.run(["mcp"]);
  expect([code, stderr]).toEqual([3, expect.stringContaining("medley up")]);
});
