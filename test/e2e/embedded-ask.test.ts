/** Searches said in a sentence: by rules, and by a chat model at a local endpoint that speaks OpenAI's protocol. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { films } from "../bench/films.ts";
import { jsonLines, Workplace } from "./medley.fixture.ts";

const config = {
  collections: {
    films: {
      fields: { title: "text", year: "number", genres: "categories" },
      unknownKeys: "ignore",
      spaces: {
        genres: { encoder: "category", field: "genres", values: ["Comedy", "Crime", "Drama"] },
        year: { encoder: "number", field: "year", range: [1970, 2023] },
      },
      texts: { titles: { fields: ["title"], language: "simple" } },
    },
  },
};

interface Asked {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

let workplace: Workplace;
let chat: Server;
const asked: Asked[] = [];
let answer: object | null = null;

beforeAll(async () => {
  workplace = new Workplace(config);
  workplace.write("films.jsonl", jsonLines(films(400)));
  expect((await workplace.runJson(["backfill", "films.jsonl"])).data).toMatchObject({ indexed: 400 });
  chat = createServer(async (request, response) => {
    asked.push((await json(request)) as Asked);
    if (answer === null) response.writeHead(400).end("{}");
    else response.end(JSON.stringify({ choices: [{ message: { content: JSON.stringify(answer) } }] }));
  });
  chat.listen(0, "127.0.0.1");
  await once(chat, "listening");
});

afterAll(async () => {
  chat.closeAllConnections();
  await new Promise((resolve) => chat.close(resolve));
  await workplace[Symbol.asyncDispose]();
});

interface Answer {
  readonly understood: { readonly query: object; readonly by: string; readonly notes: readonly string[] };
  readonly hits: readonly {
    readonly fields: { readonly title: string; readonly genres: readonly string[]; readonly year: number };
  }[];
}

async function ask(sentence: string, environment: Record<string, string> = {}): Promise<Answer> {
  const { data } = await workplace.runJson(["search", "films", "--ask", sentence], { environment });
  return data as Answer;
}

test("by rules, without a chat model", async () => {
  const { understood, hits } = await ask("recent crime comedies after 1990, no drama");
  expect(understood).toEqual({
    query: {
      parts: { genres: ["Crime", "Comedy"], year: "high" },
      filter: { genres: { none: ["Drama"] }, year: { gt: 1990 } },
    },
    by: "rules",
    notes: [],
  });
  expect(hits.length).toBe(10);
  for (const { fields } of hits) {
    expect(fields.year).toBeGreaterThan(1990);
    expect(fields.genres).not.toContain("Drama");
  }
});

test("what stands in quotes is looked for as it stands", async () => {
  const { title } = films(400)[123] as { title: string };
  const { understood, hits } = await ask(`a drama called "${title}"`);
  expect(understood.query).toEqual({ parts: { genres: ["Drama"] }, texts: { titles: `"${title}"` } });
  expect(hits[0]?.fields.title).toBe(title);
});

test("by a chat model, whose answer is checked, and by rules where it fails", async () => {
  const environment = {
    MEDLEY_CHAT_URL: `http://127.0.0.1:${(chat.address() as AddressInfo).port}/v1`,
    MEDLEY_CHAT_MODEL: "local",
  };
  const said = { text: null, number: null, prefer: null, weight: null };
  answer = {
    parts: [{ ...said, space: "genres", categories: ["comedy", "Western"] }],
    conditions: [{ field: "year", operator: "lt", text: null, number: 1985, texts: null }],
    k: 3,
  };
  const byModel = await ask("something to laugh about, from before my time", environment);
  expect(byModel.understood).toEqual({
    query: { parts: { genres: ["Comedy"] }, filter: { year: { lt: 1985 } }, k: 3 },
    by: "model",
    notes: ['genres has no "Western"'],
  });
  expect(byModel.hits.map(({ fields }) => fields.year < 1985)).toEqual([true, true, true]);
  expect(asked[0]?.messages[1]).toEqual({
    role: "user",
    content: "something to laugh about, from before my time",
  });
  answer = null;
  const byRules = await ask("crime", environment);
  expect(byRules.understood).toMatchObject({ query: { parts: { genres: ["Crime"] } }, by: "rules" });
  expect(byRules.understood.notes[0]).toContain("answers 400; read by rules");
});
