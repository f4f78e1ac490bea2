import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { requestRecordsMax } from "../index.ts";
import { openTestServer, unavailable } from "../server.fixture.ts";

const path = "/v1/collections/films/records";
const ndjson = { "content-type": "application/x-ndjson" };

test("one object, a list and lines are accepted when they are durable, in rising versions", async () => {
  const { post, queue } = await openTestServer();
  expect(await post(path, '{"id":"a","year":1999}')).toMatchObject({
    status: 202,
    body: { accepted: 1, rejected: [] },
  });
  expect((await post(path, '[{"id":"b"},{"id":"b","title":"newest"}]')).status).toBe(202);
  const lines = await post(path, '{"id":"c"}\r\n\n{"id":"d","_op":"delete"}', {
    "content-type": "application/jsonl; charset=utf-8",
  });
  expect(lines.body).toEqual({ accepted: 2, rejected: [] });
  expect(queue.sent.map(({ id, op, source }) => [id, op, source])).toEqual([
    ["a", "upsert", "http:0"],
    ["b", "upsert", "http:0"],
    ["b", "upsert", "http:1"],
    ["c", "upsert", "http:1"],
    ["d", "delete", "http:3"],
  ]);
  const versions = queue.sent.map((envelope) => envelope.version);
  expect(versions).toEqual([...new Set(versions)].sort((a, b) => (a < b ? -1 : 1)));
});

test("207 names what was rejected, with index, line, id and reason; the others go on", async () => {
  const { post, queue } = await openTestServer();
  const { status, body } = await post(path, '{"id":"a"}\n\n{"id":}\n{"id":"b","yeer":1}\n{"id":"c"}', ndjson);
  expect(status).toBe(207);
  expect(body).toEqual({
    accepted: 2,
    rejected: [
      { index: 1, line: 3, id: null, code: "body_malformed", message: "line 3 is not JSON at column 7" },
      { index: 2, line: 4, id: "b", code: "record_invalid", message: expect.stringContaining('"year"') },
    ],
  });
  expect(queue.sent.map((envelope) => envelope.id)).toEqual(["a", "c"]);
});

test("422 where none is valid; in lists the index says which", async () => {
  const { post, queue } = await openTestServer();
  const { status, body } = await post(path, '[{"year":1},7]');
  expect(status).toBe(422);
  expect(body.accepted).toBe(0);
  expect(body.rejected.map((r: { index: number; line?: number }) => [r.index, r.line])).toEqual([
    [0, undefined],
    [1, undefined],
  ]);
  expect(queue.sent).toEqual([]);
});

test("an empty list or body of lines has nothing to reject", async () => {
  const { post } = await openTestServer();
  expect((await post(path, "[]")).body).toEqual({ accepted: 0, rejected: [] });
  expect((await post(path, "\n", ndjson)).status).toBe(202);
});

test("DELETE deletes, by percent-encoded id, with the user's version where the collection has them", async () => {
  const { request, queue } = await openTestServer();
  const id = "a/b %ü".repeat(64);
  const deleted = await request(`${path}/${encodeURIComponent(id)}`, { method: "DELETE" });
  expect(deleted).toMatchObject({ status: 202, body: { accepted: 1, rejected: [] } });
  await request("/v1/collections/streamed/records/x?version=42", { method: "DELETE" });
  const unversioned = await request("/v1/collections/streamed/records/x", { method: "DELETE" });
  expect(unversioned).toMatchObject({
    status: 422,
    body: { rejected: [{ id: "x", message: expect.stringContaining("lsn") }] },
  });
  expect(queue.sent.map(({ id, op }) => [id, op])).toEqual([
    [id, "delete"],
    ["x", "delete"],
  ]);
  expect(queue.sent[1]?.version).toBe(42n);
});

test("a malformed body is 400 with its place and nothing of its content", async () => {
  const { post } = await openTestServer();
  const { status, body } = await post(path, '[{"id":"a"},\n {"id":"secret",,}]');
  expect(status).toBe(400);
  expect(body.error).toMatchObject({
    code: "body_malformed",
    message: "the body is not JSON at line 2, column 17",
  });
  expect(JSON.stringify(body)).not.toContain("secret");
  expect((await post(path, "[")).body.error.message).toContain("cut short at line 1, column 2");
  expect((await post(path, "")).status).toBe(400);
});

test("invalid UTF-8 is 400, not a replacement character", async () => {
  const { post, queue } = await openTestServer();
  const { status, body } = await post(path, Buffer.from('{"id":"\xff"}', "latin1"));
  expect([status, body.error.code]).toEqual([400, "body_malformed"]);
  expect(queue.sent).toEqual([]);
});

test("415: compressed bodies and other content types", async () => {
  const { post } = await openTestServer();
  const zipped = await post(path, gzipSync('{"id":"a"}'), { "content-encoding": "gzip" });
  expect([zipped.status, zipped.body.error.code]).toEqual([415, "media_type_unsupported"]);
  expect(zipped.body.error.message).toContain("gzip");
  const plain = await post(path, '{"id":"a"}', { "content-type": "text/plain" });
  expect(plain.status).toBe(415);
  expect(plain.body.error.mend).toContain("application/x-ndjson");
});

test("413: a body over the limit, announced or streamed, and too many records", async () => {
  const { post, queue } = await openTestServer({ bodyBytesMax: 100_000 });
  const announced = await post(path, "x".repeat(100_001));
  expect([announced.status, announced.body.error.code]).toEqual([413, "body_too_large"]);
  const chunk = new TextEncoder().encode('{"id":"a"}\n'.repeat(2_000));
  const streamed = await post(path, ReadableStream.from(Array(6).fill(chunk)), ndjson);
  expect([streamed.status, streamed.body.error.code]).toEqual([413, "body_too_large"]);
  expect(queue.sent).toEqual([]);
});

test("a client in the middle of sending hears why its body is refused, each time", async () => {
  const { server } = await openTestServer();
  const program = new URL("./send-large-bodies.fixture.ts", import.meta.url).pathname;
  const client = [program, `${server.url}${path}`, "application/json", "text/plain"];
  const { stdout } = await promisify(execFile)(process.execPath, client);
  expect(JSON.parse(stdout)).toEqual([413, 415]);
});

test("records are bounded by count too, at the border exactly", async () => {
  const { post } = await openTestServer();
  const body = (records: number) => '{"id":1}\n'.repeat(records);
  expect((await post(path, body(requestRecordsMax), ndjson)).body.accepted).toBe(requestRecordsMax);
  expect((await post(path, body(requestRecordsMax + 1), ndjson)).status).toBe(413);
});

test("a full queue is 429 and an absent one 503, both with Retry-After", async () => {
  const { post, queue } = await openTestServer();
  queue.waiting = 5;
  const full = await post(path, '{"id":"a"}');
  expect([full.status, full.body.error.code, full.headers.get("retry-after")]).toEqual([
    429,
    "overloaded",
    "1",
  ]);
  queue.waiting = 0;
  queue.fault = unavailable;
  const away = await post(path, '{"id":"a"}');
  expect([away.status, away.body.error.code, away.headers.get("retry-after")]).toEqual([
    503,
    "transport_unavailable",
    "5",
  ]);
});

test("what a queue that fails in the middle had taken is told from what it had not", async () => {
  const { post, queue } = await openTestServer();
  const list = Array.from({ length: 250 }, (_, n) => (n === 1 || n === 120 ? { year: 1 } : { id: `r${n}` }));
  queue.takes = 2;
  const { status, body, headers } = await post(path, JSON.stringify(list));
  expect([status, body.accepted, headers.get("retry-after")]).toEqual([207, 200, "1"]);
  expect(queue.sent.map(({ id }) => id)).toEqual(list.flatMap((record) => record.id ?? []).slice(0, 200));
  const codes = Object.groupBy(
    body.rejected as { code: string; index: number; id: string }[],
    ({ code }) => code,
  );
  expect(codes.record_invalid?.map(({ index }) => index)).toEqual([1, 120]);
  // The two that are invalid took no room: 200 records are those up to 201.
  expect(codes.transport_unavailable?.map(({ index, id }) => [index, id])).toEqual(
    Array.from({ length: 48 }, (_, n) => [202 + n, `r${202 + n}`]),
  );
  queue.takes = 0;
  const none = await post(path, JSON.stringify(list));
  expect([none.status, none.body.error.code]).toEqual([503, "transport_unavailable"]);
});

test("a record belongs to the trace its request came with; what is no traceparent is ignored", async () => {
  const { post, queue } = await openTestServer();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await post(path, '{"id":"a"}', { traceparent });
  await post(path, '{"id":"b"}', { traceparent: "secret" });
  expect(queue.sent.map(({ trace }) => trace)).toEqual([traceparent, undefined]);
});

test("an unknown collection is 404 and names those there are; __proto__ is none", async () => {
  const { post } = await openTestServer();
  for (const name of ["film", "__proto__", "constructor"]) {
    const { status, body } = await post(`/v1/collections/${name}/records`, "[]");
    expect([status, body.error.code]).toEqual([404, "collection_unknown"]);
    expect(body.error.mend).toContain("films, streamed");
  }
});

test("hostile records are rejected alone and change nothing else", async () => {
  const { post, queue } = await openTestServer();
  const hostile = [
    '{"id":"\\u0000"}',
    '{"id":"a","title":"\\u0000"}',
    '{"id":"a","title":"\\ud800"}',
    '{"id":"a","__proto__":{"year":1}}',
    '{"__proto__":{"id":"a"}}',
    '{"id":"a","constructor":{"prototype":{"polluted":1}}}',
    '{"id":"a","year":1e999}',
    `{"id":"a","_op":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    `{"id":"a","title":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`,
    '{"id":"good"}',
  ];
  const { status, body } = await post(path, hostile.join("\n"), ndjson);
  expect(status).toBe(207);
  expect(body.rejected.map((r: { index: number }) => r.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(queue.sent.map((envelope) => envelope.id)).toEqual(["good"]);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  const deep = await post(path, `${"[".repeat(100_000)}${"]".repeat(100_000)}`);
  expect([deep.status, deep.body.rejected.length]).toEqual([422, 1]);
});
