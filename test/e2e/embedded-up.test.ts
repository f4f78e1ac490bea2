/** `medley up` and what reaches it: HTTP, SQL by a plain client, other commands. */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, placeOf, placesOf, post, type Running, until, Workplace } from "./medley.fixture.ts";

let workplace: Workplace;
let up: Running;
let sql: pg.Client;

beforeAll(async () => {
  workplace = new Workplace();
  up = await workplace.up();
  sql = new pg.Client({ connectionString: up.connectionString });
  await sql.connect();
  workplace.write("places.jsonl", jsonLines(placesOf(60)));
});

afterAll(async () => {
  await workplace[Symbol.asyncDispose]();
});

interface Hit {
  readonly id: string;
  readonly score: number;
  readonly contributions: Record<string, number>;
}

async function httpSearch(query: object): Promise<Hit[]> {
  const { status, body } = await post(`${up.httpUrl}/v1/collections/places/search`, query);
  expect([status, body.error]).toEqual([200, undefined]);
  return body.hits;
}

function httpSend(records: unknown): ReturnType<typeof post> {
  return post(`${up.httpUrl}/v1/collections/places/records`, records);
}

async function isIndexed(id: string): Promise<boolean> {
  const { rows } = await sql.query("select 1 from medley.places where id = $1", [id]);
  return rows.length > 0;
}

function expectSameHits(found: readonly Hit[], expected: readonly Hit[]): void {
  expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
  for (const [at, hit] of found.entries())
    expect(Math.abs(hit.score - (expected[at] as Hit).score)).toBeLessThan(1e-6);
}

test("backfill and status attach to the process that has the data folder open", async () => {
  const filled = await workplace.runJson(["backfill", "places.jsonl"]);
  expect(filled).toMatchObject({
    command: "backfill",
    status: "ok",
    data: {
      collection: "places",
      state: "done",
      recordsRead: 60,
      indexed: 60,
      deadLetters: 0,
      segments: null,
    },
  });
  const status = await workplace.runJson(["status"]);
  expect(status.data).toMatchObject({
    database: "attached",
    collections: [{ collection: "places", rowsLive: 60 }],
  });
  expect(up.command.child.exitCode).toBe(null);
});

const now = "2026-01-01T00:00:00Z";
const parts = {
  price: 40,
  kinds: ["cafe"],
  place: { lat: 52, lon: 6 },
  taste: [1, 2, 0, 0],
  opened: { now, halfLifeDays: 90 },
};
const partOptions = Object.entries(parts).flatMap(([space, part]) => [
  `--${space}`,
  typeof part === "object" && space !== "kinds" ? JSON.stringify(part) : String(part),
]);

test("the command line, HTTP and SQL find the same rows with the same scores, and contributions add up to them", async () => {
  const weights = { price: 2, kinds: 0.5, place: 1, taste: 1, opened: 1, title: 1 };
  const http = await httpSearch({ parts: { ...parts, title: "reading in silence" }, weights, k: 7 });
  const asked = [
    "search",
    "places",
    "-w",
    "price=2",
    "-w",
    "kinds=0.5",
    "-k",
    "7",
    "--title",
    "reading in silence",
  ];
  const cli = await workplace.runJson([...asked, ...partOptions]);
  expect(http).toHaveLength(7);
  expectSameHits(cli.data.hits, http);
  for (const { score, contributions } of http) {
    const sum = Object.values(contributions).reduce((total, part) => total + part, 0);
    expect(Math.abs(sum - score)).toBeLessThan(1e-6);
  }
  const plain = await httpSearch({ parts, weights, k: 7 });
  const { rows } = await sql.query(
    "select id, score, contributions from medley.search('places', medley.query('places', $1, $2), 7) order by score desc, id",
    [parts, weights],
  );
  expectSameHits(rows, plain);
});

test("pages over HTTP and on the command line are one search, while records come and go", async () => {
  const query = {
    parts: { title: "reading in silence", opened: {}, kinds: ["cafe"] },
    filter: { id: { lt: "p9" } },
  };
  const whole = await httpSearch({ ...query, k: 100 });
  const pages: Hit[] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const asked = { ...query, k: 20, ...(after === undefined ? {} : { after }) };
    const { body } = await post(`${up.httpUrl}/v1/collections/places/search`, asked);
    expect(body.error).toBeUndefined();
    pages.push(...body.hits);
    after = body.cursor;
    const id = `p0-between-${pages.length}`;
    await httpSend([{ ...placeOf(3), id }]);
    await until(() => isIndexed(id), Boolean);
  }
  expectSameHits(
    pages.filter(({ id }) => !id.includes("between")),
    whole,
  );
  await httpSend(
    pages
      .concat(await httpSearch({ ...query, k: 100 }))
      .flatMap(({ id }) => (id.includes("between") ? [{ id, _op: "delete" }] : [])),
  );
  await until(
    () => httpSearch({ ...query, k: 100 }),
    (hits) => hits.length === whole.length,
  );

  const cli = [
    "search",
    "places",
    "--price",
    "40",
    "--like",
    "p7",
    "--like",
    "p8",
    "--unlike",
    "p9",
    "-k",
    "5",
  ];
  const first = await workplace.runJson(cli);
  const second = await workplace.runJson([...cli, "--after", first.data.cursor]);
  const both = await httpSearch({ parts: { price: 40 }, like: ["p7", "p8"], unlike: ["p9"], k: 10 });
  expectSameHits([...first.data.hits, ...second.data.hits], both);
});

test("a batch gives what its searches give alone, texts among them", async () => {
  const searches = Array.from({ length: 20 }, (_, n) => ({
    parts: { title: `${n} ${"quiet corner ".repeat(n % 4)}`, price: n },
    k: 5,
    ...(n % 2 === 0 ? { diversity: 0.4 } : { scoreMin: 0.5 }),
  }));
  const { status, body } = await post(`${up.httpUrl}/v1/collections/places/searches`, { searches });
  expect(status).toBe(200);
  for (const [at, search] of searches.entries()) {
    const alone = await httpSearch(search);
    expect(body.results[at].hits).toEqual(alone);
  }
});

test("the command line says how different hits are to be, and which are too bad", async () => {
  const asked = ["search", "places", "--title", "green trees", "-k", "4"];
  const diverse = await workplace.runJson([...asked, "--diversity", "0.6", "--score-min", "-0.1"]);
  const http = await httpSearch({ parts: { title: "green trees" }, k: 4, diversity: 0.6, scoreMin: -0.1 });
  expectSameHits(diverse.data.hits, http);
  expect(http.map(({ id }) => id)).not.toEqual(
    (await httpSearch({ parts: { title: "green trees" }, k: 4 })).map(({ id }) => id),
  );
  const refused = await workplace.run([...asked, "--per-group", "kinds=2"]);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('no category "kinds"')]);
  expect((await workplace.run([...asked, "--per-group", "kinds"])).code).toBe(2);
});

test("filters hold, and SQL joins around a search", async () => {
  const filter = { price: { gte: 10, lt: 30 }, kinds: { any: ["park"] } };
  const hits = await httpSearch({ parts: { price: 0 }, filter, k: 100 });
  const expected = placesOf(60).filter(({ price, kinds }) => {
    return (price as number) >= 10 && (price as number) < 30 && (kinds as string[]).includes("park");
  });
  expect(hits.map(({ id }) => id).toSorted()).toEqual(expected.map(({ id }) => id as string).toSorted());
  const { rows } = await sql.query(
    `select p.id, p.price, s.score from medley.search('places', medley.query('places', '{"price": 0}'), 100, $1) as s
     join medley.places as p using (id) where p.price > 15 order by s.score desc, p.id`,
    [filter],
  );
  expect(rows.map(({ id }) => id)).toEqual(
    hits.filter(({ id }) => Number(placeOf(Number(id.slice(1))).price) > 15).map(({ id }) => id),
  );
});

test("a negative weight turns the order round; like stands in for parts", async () => {
  const near = await httpSearch({ parts: { price: 0 }, weights: { price: 1 }, k: 60 });
  const far = await httpSearch({ parts: { price: 0 }, weights: { price: -1 }, k: 60 });
  expect([near[0]?.id, far[0]?.id]).toEqual(["p0", "p59"]);
  const [itself] = await httpSearch({ like: "p7" });
  expect(itself?.id).toBe("p7");
  const missing = await post(`${up.httpUrl}/v1/collections/places/search`, { like: "nobody" });
  expect([missing.status, missing.body.error.code]).toEqual([404, "not_found"]);
});

test("an update and a delete over HTTP are seen by the next search", async () => {
  const named = async () => (await httpSearch({ parts: { title: "submarine museum" }, k: 1 }))[0]?.id;
  expect((await httpSend({ ...placeOf(3), title: "submarine museum" })).status).toBe(202);
  await until(named, (id) => id === "p3");
  const response = await fetch(`${up.httpUrl}/v1/collections/places/records/p3`, { method: "DELETE" });
  expect(response.status).toBe(202);
  await until(named, (id) => id !== "p3");
  expect((await httpSearch({ parts: { price: 3 }, k: 100 })).map(({ id }) => id)).not.toContain("p3");
});

test("some records of a request are bad: 207 names them, the others are indexed", async () => {
  const { status, body } = await httpSend([
    placeOf(100),
    { ...placeOf(101), price: "dear" },
    { title: "no id" },
  ]);
  expect([status, body.accepted]).toEqual([207, 1]);
  expect(body.rejected).toMatchObject([
    { index: 1, id: "p101", code: "record_invalid" },
    { index: 2, id: null, code: "record_invalid" },
  ]);
  await until(
    () => isIndexed("p100"),
    (done) => done,
  );
});

test("a body over the limit is refused with 413 and serving goes on", async () => {
  const search = `${up.httpUrl}/v1/collections/places/search`;
  const { status, body } = await post(search, { like: "x".repeat(2 ** 20) });
  expect([status, body.error.code]).toEqual([413, "body_too_large"]);
  expect((await httpSearch({ parts: { price: 1 }, k: 1 })).length).toBe(1);
});

test("a text of 100,000 characters is indexed", async () => {
  expect((await httpSend({ ...placeOf(102), title: "words and ".repeat(10_000) })).status).toBe(202);
  await until(
    () => isIndexed("p102"),
    (done) => done,
  );
});

test("a port that is taken is named; a second `medley up` on the folder says data_in_use", async () => {
  const second = await workplace.runJson(["up"]);
  expect(second.error).toMatchObject({ code: "data_in_use" });
  await using other = new Workplace();
  const taken = await other.runJson(["up"], { environment: { MEDLEY_HTTP_PORT: new URL(up.httpUrl).port } });
  expect([taken.error?.code, taken.exitCode]).toEqual(["port_taken", 1]);
  expect(taken.error?.message).toContain(new URL(up.httpUrl).port);
});

// Last: it ends what the others use.
test("SIGTERM drains and ends with 0", async () => {
  await httpSend(Array.from({ length: 50 }, (_, n) => placeOf(200 + n)));
  await sql.end();
  up.command.kill("SIGTERM");
  const { code, stdout, stderr } = await up.command.ended;
  expect([code, stdout]).toEqual([0, "stopped\n"]);
  expect(`${stdout}${stderr}`).not.toContain("\u001b");
  const status = await workplace.runJson(["status"]);
  expect(status.data.database).toBe("own");
});
