import { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { openTestServer } from "../server.fixture.ts";

const path = "/v1/collections/films/search";
const hit = { id: "a", score: 0.9, contributions: { year: 0.9, genre: 0 }, fields: { year: 1999 }, place: 1 };

test("a search is encoded by the collection's own encoders and answered with its hits", async () => {
  const { post, queries } = await openTestServer({ search: async () => [hit] });
  const rest = {
    weights: { year: 2, genre: -1 },
    like: "b",
    filter: { year: { gte: 1990 } },
    k: 1000,
    recall: 0.8,
    unlike: ["c", "d"],
    scoreMin: -0.5,
    diversity: 0.3,
    perGroup: { field: "genre", max: 2 },
  };
  const { status, body } = await post(path, JSON.stringify({ parts: { genre: "Comedy" }, ...rest }));
  expect(status).toBe(200);
  expect(body).toEqual({ hits: [hit], cursor: null, tookMs: expect.any(Number) });
  expect(queries).toEqual([{ ...rest, generation: 1, segments: { genre: [1, 0] }, atMs: 1 }]);
  expect((await post(path, "{}")).status).toBe(200);
});

test("a search of a class has its weights, but for those that it names itself", async () => {
  const { post, queries } = await openTestServer({ search: async () => [hit] });
  const asked = { parts: { genre: "Comedy" }, class: "comedies", weights: { year: 3 } };
  expect((await post(path, JSON.stringify(asked))).status).toBe(200);
  const segments = { genre: [1, 0] };
  expect(queries).toEqual([{ weights: { genre: 1.5, year: 3 }, generation: 1, segments, k: 10, atMs: 1 }]);
});

test("a sentence is understood first, and what the search says itself goes before it", async () => {
  const { post, queries } = await openTestServer({ search: async () => [hit] });
  const { status, body } = await post(
    path,
    JSON.stringify({ ask: "comedies after 1990", filter: { year: { gt: 2000 } } }),
  );
  expect(status).toBe(200);
  expect(body.understood).toEqual({
    query: { parts: { genre: ["Comedy"] }, filter: { year: { gt: 1990 } } },
    by: "rules",
    notes: [],
  });
  expect(queries).toEqual([
    { filter: { year: { gt: 2000 } }, generation: 1, segments: { genre: [1, 0] }, k: 10, atMs: 1 },
  ]);
});

test("texts go along with the weight that the search gives them, beside their words or by name", async () => {
  const { post, queries } = await openTestServer();
  const asked = async (search: object) => {
    expect((await post(path, JSON.stringify(search))).status).toBe(200);
    const { texts, weights } = queries.at(-1) ?? {};
    return { texts, weights };
  };
  expect(await asked({ texts: { words: "bank heist" } })).toEqual({
    texts: { words: { query: "bank heist" } },
    weights: undefined,
  });
  const texts = { words: "heist" };
  expect(await asked({ texts, weights: { words: -2, year: 3 } })).toEqual({
    texts: { words: { query: "heist", weight: -2 } },
    weights: { year: 3 },
  });
  const both = { words: { query: "heist", weight: 5 } };
  expect(await asked({ texts: both, weights: { words: 2 } })).toEqual({ texts: both, weights: {} });
  // Nothing is asked of the text: its weight counts for nothing, as a space's does.
  expect(await asked({ parts: { year: 1999 }, weights: { words: 2 } })).toEqual({ weights: {} });
});

test("how a search would be answered is told for the same body, and refused alike", async () => {
  const { post, queries } = await openTestServer();
  const explained = await post("/v1/collections/films/explain", '{"parts":{"genre":"Comedy"},"recall":0.9}');
  expect([explained.status, explained.body]).toEqual([200, { plan: { method: "exact" } }]);
  expect(queries).toEqual([{ recall: 0.9, generation: 1, segments: { genre: [1, 0] }, k: 10, atMs: 1 }]);
  expect((await post("/v1/collections/films/explain", '{"k":0}')).body.error.code).toBe("query_invalid");
  expect((await post("/v1/collections/film/explain", "{}")).status).toBe(404);
});

test("the cursor of a full page leads to the hits behind it, of the same search only", async () => {
  const { post, queries } = await openTestServer({ search: async () => [hit] });
  const asked = { parts: { genre: "Comedy" }, weights: { year: 2 }, k: 1 };
  const { cursor } = (await post(path, JSON.stringify(asked))).body;
  const next = await post(path, JSON.stringify({ ...asked, k: 5, after: cursor }));
  expect([next.status, next.body.cursor]).toEqual([200, null]);
  expect(queries[1]).toMatchObject({ k: 5, after: { id: "a", score: 0.9, place: 1 } });
  const refusals = [
    [{ ...asked, weights: { year: 3 }, after: cursor }, "another search"],
    [{ ...asked, filter: { year: 1 }, after: cursor }, "another search"],
    [{ ...asked, texts: { words: "heist" }, after: cursor }, "another search"],
    [{ ...asked, after: `${cursor}x` }, "no cursor"],
    [{ ...asked, after: "" }, "no cursor"],
  ] as const;
  for (const [refused, said] of refusals) {
    const { status, body } = await post(path, JSON.stringify(refused));
    expect([status, body.error.code]).toEqual([422, "query_invalid"]);
    expect(body.error.message).toContain(said);
  }
  expect(queries).toHaveLength(2);
  const grouped = { ...asked, perGroup: { field: "genre", max: 1 } };
  expect((await post(path, JSON.stringify(grouped))).body.cursor).toBeNull();
});

test("searches in a batch are answered each as if it were alone, a few at once", async () => {
  let [inFlight, most] = [0, 0];
  const { post } = await openTestServer({
    search: async ({ like }) => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      await new Promise((later) => setTimeout(later, 5));
      inFlight -= 1;
      if (like === "missing")
        throw new MedleyError("not_found", 'no row "missing"', { mend: "name another" });
      return [{ ...hit, id: String(like) }];
    },
  });
  const searches: unknown[] = Array.from({ length: 98 }, (_, n) => ({ like: `r${n}`, k: 1 }));
  searches.splice(3, 0, { like: "missing" }, { like: "r1", k: 20_000 });
  const batchPath = `${path}es`;
  const { status, body } = await post(batchPath, JSON.stringify({ searches }));
  expect(status).toBe(200);
  expect(body.results).toHaveLength(100);
  expect(body.results[3]).toEqual({
    error: { code: "not_found", message: 'no row "missing"', mend: "name another" },
  });
  expect(body.results[4].error.code).toBe("query_invalid");
  for (const [at, search] of searches.entries()) {
    if (at === 3 || at === 4) continue;
    const { tookMs, ...alone } = (await post(path, JSON.stringify(search))).body;
    expect(body.results[at]).toEqual(alone);
  }
  expect(most).toBe(4);
  const refusals = ['{"searches":[]}', '{"searches":{}}', "[]", '{"searches":[{}],"k":1}'];
  const large = JSON.stringify({ searches: Array(11).fill({ k: 1_000 }) });
  for (const text of [...refusals, large, JSON.stringify({ searches: [...searches, {}] })]) {
    const refused = await post(batchPath, text);
    expect([refused.status, refused.body.error.code]).toEqual([422, "query_invalid"]);
  }
});

test.for([
  ['{"unlike":["a",7]}', "unlike"],
  ['{"scoreMin":1e999}', "scoreMin"],
  ['{"scoreMin":"1"}', "scoreMin"],
  ['{"diversity":-0.1}', "diversity"],
  ['{"perGroup":"genre"}', "perGroup"],
  ['{"perGroup":{"field":"genre","max":0}}', "perGroup"],
  ['{"perGroup":{"field":"\\u0000","max":1}}', "U+0000"],
  ['{"after":7}', "after"],
  [`{"after":"${"x".repeat(4_097)}"}`, "4096"],
  ['{"ask":7}', "sentence"],
  ['{"ask":" "}', "1 to 1000 characters"],
  ["[]", "object"],
  ['{"part":{}}', '"parts"'],
  ['{"parts":{"yeer":1}}', '"year"'],
  ['{"parts":[1]}', "parts"],
  ['{"parts":{"year":"soon"}}', "year"],
  ['{"parts":{"__proto__":{"x":1}}}', "__proto__"],
  ['{"__proto__":{"k":1}}', "__proto__"],
  ['{"weights":{"gener":1}}', '"genre"'],
  ['{"weights":{"genre":1e999}}', "finite"],
  ['{"weights":{"genre":"1"}}', "finite"],
  ['{"class":7}', "class"],
  ['{"class":"comedy"}', 'has no class "comedy"'],
  ['{"weights":{"wrods":1}}', '"words"'],
  ['{"texts":"heist"}', "texts"],
  ['{"texts":{"wrods":"heist"}}', '"words"'],
  ['{"texts":{"words":7}}', "bank heist"],
  ['{"texts":{"words":{"query":"heist","wait":2}}}', "bank heist"],
  ['{"texts":{"words":{"query":"heist","weight":"2"}}}', "finite"],
  ['{"texts":{"words":"\\u0000"}}', "U+0000"],
  ['{"k":0}', "1000"],
  ['{"k":1001}', "1000"],
  ['{"k":1.5}', "1000"],
  ['{"recall":1.1}', "recall"],
  ['{"recall":"1"}', "recall"],
  ['{"like":7}', "like"],
  ['{"like":"\\u0000"}', "U+0000"],
  ['{"filter":{"title":{"eq":"\\u0000"}}}', "U+0000"],
  ['{"filter":{"\\u0000":1}}', "U+0000"],
  ['{"filter":{"year":1e999}}', "finite"],
  [`{"filter":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`, "nested"],
] as const)("422 query_invalid", async ([text, named]) => {
  const { post, queries } = await openTestServer();
  const { status, body } = await post(path, text);
  expect([status, body.error.code]).toEqual([422, "query_invalid"]);
  expect(`${body.error.message} ${body.error.mend ?? ""}`).toContain(named);
  expect(queries).toEqual([]);
});

test("malformed, too large, unknown collection, faults of the store", async () => {
  const { post } = await openTestServer({
    search: async () => {
      throw new MedleyError("store_unavailable", "Postgres can't be reached");
    },
  });
  expect((await post(path, "{")).status).toBe(400);
  expect((await post(path, `{"like":"${"x".repeat(2 ** 20)}"}`)).status).toBe(413);
  expect((await post("/v1/collections/film/search", "{}")).status).toBe(404);
  const away = await post(path, "{}");
  expect([away.status, away.headers.get("retry-after")]).toEqual([503, "5"]);
});
