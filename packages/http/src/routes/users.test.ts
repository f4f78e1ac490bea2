import { expect, test } from "vitest";
import { openTestServer, tokenOf } from "../server.fixture.ts";

const path = "/v1/collections/films/events";
const like = { user: "u", item: "heat", kind: "like" };

test("events are accepted as records are: one, a list, lines; each under its user", async () => {
  const { post, queue } = await openTestServer();
  const one = await post(path, JSON.stringify(like));
  expect(one).toMatchObject({ status: 202, body: { accepted: 1, rejected: [] } });
  const lines = [like, { ...like, kind: "dislike", at: 1, id: "e" }].map((event) => JSON.stringify(event));
  const two = await post(path, lines.join("\n"), { "content-type": "application/x-ndjson" });
  expect(two).toMatchObject({ status: 202, body: { accepted: 2 } });
  expect(queue.sent.map(({ id, op, source }) => [id, op, source])).toEqual([
    ["u", "event", "http:0"],
    ["u", "event", "http:1"],
    ["u", "event", "http:2"],
  ]);
  expect(queue.sent[2]?.fields).toEqual({ event: "e", item: "heat", kind: "dislike", at: 1 });
});

test("what is no event is named with its line; a collection without profiles takes none", async () => {
  const { post, queue } = await openTestServer();
  const lines = [JSON.stringify(like), "{", JSON.stringify({ ...like, kind: "lik" }), "7"].join("\n");
  const { status, body } = await post(path, lines, { "content-type": "application/x-ndjson" });
  expect([status, body.accepted]).toEqual([207, 1]);
  expect(body.rejected).toMatchObject([
    { index: 1, line: 2, code: "body_malformed" },
    { index: 2, line: 3, id: "u", code: "record_invalid", message: expect.stringContaining('"like"') },
    { index: 3, line: 4, id: null, code: "record_invalid" },
  ]);
  expect(queue.sent).toHaveLength(1);
  const none = await post("/v1/collections/streamed/events", JSON.stringify(like));
  expect([none.status, none.body.rejected[0].message]).toEqual([
    422,
    'collection streamed takes no events; give it "profiles" in the configuration',
  ]);
});

test("a user is forgotten with the scope ingest, of a collection there is", async () => {
  const { request, forgotten } = await openTestServer({
    tokens: [tokenOf("writer", ["ingest"]), tokenOf("reader", ["search"])],
  });
  const remove = (collection: string, user: string, token: string) =>
    request(`/v1/collections/${collection}/users/${user}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}` },
    });
  expect(await remove("films", "a%2Fb", "writer")).toMatchObject({ status: 200, body: { events: 1 } });
  expect(forgotten).toEqual(["a/b"]);
  expect((await remove("films", "a", "reader")).status).toBe(403);
  expect((await remove("flims", "a", "writer")).status).toBe(404);
  expect((await remove("films", "x".repeat(513), "writer")).status).toBe(400);
  expect((await remove("films", "a%00", "writer")).status).toBe(400);
  expect(forgotten).toEqual(["a/b"]);
});

test("a search says for whom, and whether without what was seen", async () => {
  const { post, queries } = await openTestServer();
  const search = "/v1/collections/films/search";
  expect((await post(search, '{"for":"u","excludeSeen":true}')).status).toBe(200);
  expect(queries).toEqual([{ for: "u", excludeSeen: true, generation: 1, segments: {}, k: 10, atMs: 1 }]);
  for (const wrong of ['{"for":1}', '{"for":"\\u0000"}', '{"for":"u","excludeSeen":"yes"}']) {
    const { status, body } = await post(search, wrong);
    expect([status, body.error.code]).toEqual([422, "query_invalid"]);
  }
});
