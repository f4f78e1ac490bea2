import { type Collection, checkConfig, fail, succeed } from "@medley/core";
import { expect, test } from "vitest";
import { readSpokenQuery } from "./spoken-query.ts";
import { type AskChat, type ChatRequest, saidBefore, sentenceCharsMax, understand } from "./understand.ts";

const films = checkConfig({
  collections: {
    films: {
      fields: { year: "number", genres: "categories", plot: "text", place: "geo" },
      spaces: {
        plot: { encoder: "text", field: "plot" },
        genres: { encoder: "category", field: "genres", values: ["Comedy", "Crime"] },
        year: { encoder: "number", field: "year", range: [1970, 2023] },
        place: { encoder: "geo", field: "place" },
      },
    },
  },
})[0] as Collection;

const said = { text: null, number: null, prefer: null, categories: null, weight: null };
const compared = { text: null, number: null, texts: null };

test("a chat model is told the spaces it may name and no other, and its answer becomes the query", async () => {
  const asked: ChatRequest[] = [];
  const ask: AskChat = async (request) => {
    asked.push(request);
    return succeed({
      parts: [
        { ...said, space: "plot", text: "a heist", weight: 2 },
        { ...said, space: "genres", categories: ["crime"] },
      ],
      conditions: [{ ...compared, field: "year", operator: "gte", number: 1990 }],
      k: 5,
    });
  };
  expect(await understand(films, " crime about a heist since 1990 ", { ask })).toEqual({
    query: {
      parts: { plot: "a heist", genres: ["Crime"] },
      weights: { plot: 2 },
      filter: { year: { gte: 1990 } },
      k: 5,
    },
    by: "model",
    notes: [],
  });
  const [{ sentence, schema, instructions }] = asked as [ChatRequest];
  expect(sentence).toBe("crime about a heist since 1990");
  expect(schema).toMatchObject({
    additionalProperties: false,
    properties: {
      parts: { items: { properties: { space: { enum: ["plot", "genres", "year"] } } } },
      conditions: { items: { properties: { field: { enum: ["year", "genres", "none"] } } } },
    },
  });
  expect(instructions).toContain("genres (categories, of genres): Comedy, Crime");
});

test("what of an answer does not fit is left out and said", () => {
  const answer = {
    parts: [
      { ...said, space: "place", text: "Rome" },
      { ...said, space: "genres", categories: ["Western"] },
      { ...said, space: "plot", text: "x".repeat(5_000), weight: 1e9 },
      { ...said, space: "plot", text: "again" },
    ],
    conditions: [
      { ...compared, field: "year", operator: "any", texts: ["a"] },
      { ...compared, field: "year", operator: "lt", text: "soon" },
      { ...compared, field: "password", operator: "eq", text: "x" },
    ],
    k: 1e6,
  };
  const { query, notes } = readSpokenQuery(films, answer);
  expect(query).toEqual({ parts: { plot: "x".repeat(2_000) } });
  expect(notes).toEqual([
    'no space "place" can be asked for in words',
    'genres has no "Western"',
    "plot: a weight is a number from -10 to 10",
    "plot is asked for twice; the first counts",
    'year (number) has no condition "any"',
    "year: lt is given nothing that it can be compared with",
    'no field "password" can have a condition',
  ]);
});

test.for<unknown>([null, "text", [], { parts: 1, conditions: {} }, { parts: [null, 7], conditions: [null] }])(
  "an answer of another shape says nothing: %j",
  (answer) => {
    expect(readSpokenQuery(films, answer).query).toEqual({ parts: {} });
  },
);

test.for<[string, AskChat, string]>([
  ["fails", async () => fail("the chat endpoint is down"), "the chat endpoint is down; read by rules"],
  ["says nothing that fits", async () => succeed({ parts: [] }), "says nothing that fits the collection"],
])("where the model %s, rules read the sentence", async ([, ask, note]) => {
  const { query, by, notes } = await understand(films, "crime about a heist", { ask });
  expect([query, by]).toEqual([{ parts: { plot: "heist", genres: ["Crime"] } }, "rules"]);
  expect(notes[0]).toContain(note);
});

test("a sentence of conditions alone is looked for as a text, too", async () => {
  const { query } = await understand(films, "films after 1990", { ask: null });
  expect(query).toEqual({ parts: { plot: "films after 1990" }, filter: { year: { gt: 1990 } } });
});

test.for(["", "   ", "x".repeat(sentenceCharsMax + 1)])(
  "a sentence of no or too many characters is refused",
  async (text) => {
    await expect(understand(films, text, { ask: null })).rejects.toMatchObject({ code: "query_invalid" });
  },
);

test("what is said in so many words goes before what was understood", () => {
  const understood = { parts: { plot: "a", year: "high" }, filter: { year: { gt: 1990 } }, k: 5 };
  expect(saidBefore(understood, { parts: { plot: "b" }, weights: { plot: 2 } })).toEqual({
    parts: { plot: "b", year: "high" },
    weights: { plot: 2 },
    filter: { year: { gt: 1990 } },
    k: 5,
  });
});

const worded = checkConfig({
  collections: {
    films: {
      fields: { year: "number", plot: "text" },
      spaces: { year: { encoder: "number", field: "year", range: [1970, 2023] } },
      texts: { words: { fields: ["plot"], language: "english" } },
    },
  },
})[0] as Collection;

test("a chat model may ask a collection's texts, too, which weigh and are bounded as spaces are", async () => {
  let told: ChatRequest | null = null;
  const ask: AskChat = async (request) => {
    told = request;
    return succeed({
      parts: [
        { ...said, space: "words", text: "x".repeat(5_000), weight: 3 },
        { ...said, space: "year", prefer: "high" },
      ],
      conditions: [],
      k: null,
    });
  };
  expect(await understand(worded, "a recent heist", { ask })).toEqual({
    query: { parts: { year: "high" }, texts: { words: "x".repeat(2_000) }, weights: { words: 3 } },
    by: "model",
    notes: [],
  });
  expect(told).toMatchObject({
    instructions: expect.stringContaining("- words (words, of plot)"),
    schema: { properties: { parts: { items: { properties: { space: { enum: ["year", "words"] } } } } } },
  });
  expect(readSpokenQuery(worded, { parts: [{ ...said, space: "words" }] })).toEqual({
    query: { parts: {} },
    notes: ["words: nothing is said that it could look for"],
  });
});

test("where no space reads texts, a sentence of conditions alone is looked for by its words", async () => {
  const { query } = await understand(worded, "films after 1990", { ask: null });
  expect(query).toEqual({ parts: {}, texts: { words: "films after 1990" }, filter: { year: { gt: 1990 } } });
  expect(saidBefore(query, { texts: { words: "heist" } })).toMatchObject({ texts: { words: "heist" } });
});
