/** What users do, over HTTP and from files, and what is then found for them, among the films of the example. */
import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Film, films } from "../bench/films.ts";
import { jsonLines, post, type Running, until, Workplace } from "./medley.fixture.ts";

const picked = films(400);
const vocabularyFile = new URL("../../examples/films/vocabulary.json", import.meta.url);
const { genres }: { genres: string[] } = JSON.parse(readFileSync(vocabularyFile, "utf8"));
const config = {
  collections: {
    films: {
      fields: { title: "text", year: "number", genres: "categories" },
      unknownKeys: "ignore",
      spaces: {
        genres: { encoder: "category", field: "genres", values: genres },
        year: { encoder: "number", field: "year", range: [1970, 2023], weight: 0.2 },
      },
      profiles: { events: { view: 1, like: 3, purchase: 5, dislike: -2 }, halfLifeDays: 30 },
    },
  },
};

let workplace: Workplace;
let up: Running;
let sql: pg.Client;

beforeAll(async () => {
  workplace = new Workplace(config);
  up = await workplace.up();
  sql = new pg.Client({ connectionString: up.connectionString });
  await sql.connect();
  workplace.write("films.jsonl", jsonLines(picked));
  expect((await workplace.runJson(["backfill", "films.jsonl"])).data).toMatchObject({ indexed: 400 });
});

afterAll(async () => {
  await sql.end();
  await workplace[Symbol.asyncDispose]();
});

const only = (genre: string) => picked.filter((film) => film.genres.includes(genre));
const nothingElse = (genre: string) => only(genre).filter((film) => film.genres.length === 1);
const genreShare = (hits: readonly Hit[], genre: string) =>
  hits.filter(({ fields }) => fields.genres.includes(genre)).length / hits.length;

interface Hit {
  readonly id: string;
  readonly fields: Pick<Film, "genres">;
}

const at = (daysAgo: number) => new Date(Date.now() - daysAgo * 86_400_000).toISOString();
const eventsOf = (user: string, kind: string, items: readonly Film[], daysAgo = 1) =>
  items.map(({ id }) => ({ user, item: id, kind, at: at(daysAgo) }));

async function send(events: readonly object[]): Promise<void> {
  const answer = await post(`${up.httpUrl}/v1/collections/films/events`, events);
  expect(answer).toMatchObject({ status: 202, body: { accepted: events.length, rejected: [] } });
}

async function hasEvents(user: string, count: number): Promise<void> {
  await until(
    async () => {
      const { rows } = await sql.query(
        "select event_count from medley_internal.profiles where user_id = $1",
        [user],
      );
      return rows[0]?.event_count ?? 0;
    },
    (found) => found === count,
  );
}

async function search(query: object): Promise<readonly Hit[]> {
  const { status, body } = await post(`${up.httpUrl}/v1/collections/films/search`, query);
  expect([status, body.error]).toEqual([200, undefined]);
  return body.hits;
}

test("a user who likes crime films is found crime films, others than those seen", async () => {
  const seen = only("Crime").slice(0, 5);
  await send(eventsOf("ann", "like", seen));
  await hasEvents("ann", 5);
  expect(genreShare(await search({ for: "ann" }), "Crime")).toBeGreaterThanOrEqual(0.9);
  const unseen = await search({ for: "ann", excludeSeen: true });
  expect(genreShare(unseen, "Crime")).toBeGreaterThanOrEqual(0.9);
  expect(unseen.filter(({ id }) => seen.some((film) => film.id === id))).toEqual([]);
  const cli = await workplace.runJson(["search", "films", "--for", "ann", "--exclude-seen"]);
  expect(cli.data.hits.map(({ id }: Hit) => id)).toEqual(unseen.map(({ id }) => id));
  const part = await search({ for: "ann", parts: { genres: ["Horror"] }, k: 5 });
  expect(genreShare(part, "Horror")).toBe(1);
});

test("a dislike pushes away: what was liked beside it comes first, the disliked last", async () => {
  await send([
    ...eventsOf("ben", "like", nothingElse("Drama").slice(0, 4)),
    ...eventsOf("ben", "dislike", nothingElse("Comedy").slice(0, 4)),
  ]);
  await hasEvents("ben", 8);
  const all = await search({ for: "ben", weights: { year: 0 }, k: 400 });
  expect(genreShare(all.slice(0, 10), "Drama")).toBe(1);
  expect(genreShare(all.slice(0, 20), "Comedy")).toBe(0);
  expect(genreShare(all.slice(-10), "Comedy")).toBe(1);
});

test("an old taste loses to a new one; without its age it would win", async () => {
  const old = only("Western").slice(0, 5);
  await send([
    ...eventsOf("cleo", "like", old, 300),
    ...eventsOf("cleo", "like", only("Musical").slice(0, 2)),
  ]);
  await send([...eventsOf("dan", "like", old, 1), ...eventsOf("dan", "like", only("Musical").slice(0, 2))]);
  await hasEvents("cleo", 7);
  await hasEvents("dan", 7);
  const share = async (user: string, genre: string) =>
    genreShare(await search({ for: user, weights: { year: 0 }, k: 5 }), genre);
  expect([await share("cleo", "Musical"), await share("dan", "Western")]).toEqual([1, 1]);
});

test("events from a file, with lines that are none; the same file again changes nothing", async () => {
  const events = eventsOf("eve", "purchase", only("Animated").slice(0, 3));
  const lines = [...events, { ...events[0], kind: "borrow" }, { user: "eve" }];
  workplace.write("events.jsonl", jsonLines(lines));
  const args = ["backfill", "events.jsonl", "-c", "films", "--events"];
  const first = await workplace.runJson(args);
  expect(first).toMatchObject({ exitCode: 4, data: { indexed: 3, deadLetters: 2 } });
  const letters = await workplace.runJson(["dead-letters", "list", "--run", first.data.runId]);
  expect(letters.data.map(({ reason }: { reason: string }) => reason).toSorted()).toEqual([
    expect.stringContaining('"item" must be a string'),
    expect.stringContaining('"kind" is "borrow", which is no event of collection films'),
  ]);
  const before = await search({ for: "eve" });
  expect(genreShare(before, "Animated")).toBe(1);
  expect((await workplace.runJson(args)).data).toMatchObject({ indexed: 3, deadLetters: 2 });
  expect(await search({ for: "eve" })).toEqual(before);
  await hasEvents("eve", 3);

  const wrong = letters.data.find(({ reason }: { reason: string }) => reason.includes("borrow"));
  const mended = JSON.stringify({ _op: "event", ...events[0], kind: "like", id: "mended" });
  const number = String(wrong.deadLetterId);
  const replayed = await workplace.runJson(["dead-letters", "replay", number, "--record", mended]);
  expect(replayed.data).toMatchObject({ replayed: 1 });
  await hasEvents("eve", 4);
});

test("a forgotten user has no profile, and what is sent of the past stays away", async () => {
  const events = eventsOf("fay", "like", only("Comedy").slice(0, 3));
  await send(events);
  await hasEvents("fay", 3);
  const users = `${up.httpUrl}/v1/collections/films/users`;
  const answer = await fetch(`${users}/fay`, { method: "DELETE" });
  expect([answer.status, await answer.json()]).toEqual([200, { events: 3 }]);
  const cli = await workplace.runJson(["profiles", "forget", "films", "eve"]);
  expect(cli.data).toEqual({ collection: "films", events: 4 });
  const letters = await workplace.runJson(["dead-letters", "list", "--all"]);
  expect(letters.data).toEqual([]);

  await send([...events, ...eventsOf("gil", "like", only("Comedy").slice(0, 1))]);
  await hasEvents("gil", 1);
  await hasEvents("fay", 0);
  const { status, body } = await post(`${up.httpUrl}/v1/collections/films/search`, { for: "fay" });
  expect([status, body.error.code, body.error.message]).toEqual([
    422,
    "query_invalid",
    'user "fay" has no profile in "films", and the search asks for nothing else',
  ]);
  const fallback = { parts: { genres: ["War"] }, k: 5 };
  expect(await search({ ...fallback, for: "fay" })).toEqual(await search(fallback));
});

test("profiles follow their films when they are made anew", async () => {
  const [film] = only("Comedy") as [Film];
  await send([{ user: "hal", item: film.id, kind: "like" }]);
  await hasEvents("hal", 1);
  const changed = await post(`${up.httpUrl}/v1/collections/films/records`, { ...film, genres: ["Western"] });
  expect(changed.status).toBe(202);
  await until(
    async () => (await search({ filter: { id: film.id }, parts: { genres: ["Western"] } }))[0]?.fields.genres,
    (now) => now?.[0] === "Western",
  );
  const best = async () =>
    (await search({ for: "hal", excludeSeen: true, weights: { year: 0 }, k: 3 })) as Hit[];
  expect(genreShare(await best(), "Comedy")).toBe(1);
  const rebuilt = await workplace.runJson(["profiles", "rebuild"]);
  expect(rebuilt.data.rebuilt.films).toBeGreaterThanOrEqual(8);
  expect(genreShare(await best(), "Western")).toBe(1);
});
