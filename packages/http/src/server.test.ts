import { connect } from "node:net";
import type { FastifyBaseLogger } from "fastify";
import { expect, test } from "vitest";
import { RequestCounters, scopes, startHttpServer } from "./index.ts";
import { openTestServer, tokenOf } from "./server.fixture.ts";

const records = "/v1/collections/films/records";

/** Sends bytes as they are and returns all that comes back: `fetch` would not let these headers through. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(text);
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  return answer;
}

const get = (host: string, more = "") =>
  `GET /v1/status HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`;

test.for(["0.0.0.0", "::", "", "example.org", "127.0.0.1.example.org"])(
  "without a token it does not listen on %j",
  async (host) => {
    await expect(startHttpServer({ host, port: 0, tokens: [], routes: [] })).rejects.toMatchObject({
      code: "usage",
      mend: expect.stringContaining("token"),
    });
  },
);

test("a taken port is named", async () => {
  const { server } = await openTestServer();
  await expect(
    startHttpServer({ host: "127.0.0.1", port: server.port, tokens: [], routes: [] }),
  ).rejects.toMatchObject({ code: "port_taken", message: expect.stringContaining(String(server.port)) });
});

test("beyond loopback any host name is answered, to whoever has the token", async () => {
  const { server } = await openTestServer({ host: "0.0.0.0", tokens: [tokenOf("right", scopes)] });
  // Any name may point to a server that listens beyond loopback.
  expect(await raw(server.port, get("films.example.org", "Authorization: Bearer right\r\n"))).toContain(
    " 200 ",
  );
  expect(await raw(server.port, get("films.example.org"))).toContain(" 401 ");
});

test("on loopback only loopback names are answered", async () => {
  const { server } = await openTestServer();
  const at = `:${server.port}`;
  for (const host of [`127.0.0.1${at}`, `localhost${at}`, "LOCALHOST", `[::1]${at}`]) {
    expect(await raw(server.port, get(host))).toContain(" 200 ");
  }
  for (const host of [`evil.example${at}`, "127.0.0.1.evil.example", "localhost@evil.example", ""]) {
    const answer = await raw(server.port, get(host));
    expect(answer).toContain(" 403 ");
    expect(answer).toContain('"forbidden"');
  }
});

test("pages of another origin are refused", async () => {
  const { post, queue, server } = await openTestServer();
  for (const origin of ["https://evil.example", "null", "http://127.0.0.1:1"]) {
    expect((await post(records, '{"id":"a"}', { origin })).status).toBe(403);
  }
  expect(queue.sent).toEqual([]);
  expect((await post(records, '{"id":"a"}', { origin: server.url })).status).toBe(202);
});

test("unknown routes, methods and bad paths answer in the same shape", async () => {
  const { request } = await openTestServer();
  for (const [method, path, status] of [
    ["GET", "/", 404],
    ["PUT", records, 404],
    ["GET", "/v1/%zz", 400],
  ] as const) {
    const answer = await request(path, { method });
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({ error: expect.objectContaining({ code: expect.any(String) }) });
  }
});

test("an unknown error is 500 and tells nobody its content", async () => {
  const logged: string[] = [];
  const write = (...args: unknown[]) => void logged.push(JSON.stringify(args));
  const logger = {
    ...{ level: "trace", silent: write, trace: write, debug: write, info: write, warn: write },
    ...{ error: write, fatal: write },
    child: () => logger,
  } as unknown as FastifyBaseLogger;
  const { request, post } = await openTestServer({
    logger,
    readStatus: async () => {
      throw new Error("row (secret) is bad");
    },
  });
  const { status, body } = await request("/v1/status");
  expect([status, body.error.code]).toEqual([500, "internal"]);
  expect(JSON.stringify(body)).not.toMatch(/secret|at .*\.ts/);
  await post(records, '{"id":"secret"}');
  await post(records, '{"id":"secret","yeer":1}');
  await request(`${records}/secret`, { method: "DELETE" });
  expect(logged.join("\n")).toContain('"internal"');
  expect(logged.join("\n")).not.toContain("secret");
});

test("bodies in hand are bounded together, and given free again", async () => {
  const { post, server, queue } = await openTestServer({ bodyBytesMax: 1_000, bodiesBytesMax: 1_500 });
  const held = connect(server.port, "127.0.0.1");
  held.write(
    `POST ${records} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
  );
  const body = `{"id":"a"}${" ".repeat(900)}`;
  await expect.poll(async () => (await post(records, body)).status).toBe(429);
  expect((await post(records, '{"id":"small"}')).status).toBe(202);
  held.destroy();
  await expect.poll(async () => (await post(records, body)).status).toBe(202);
  expect(queue.sent.at(-1)?.id).toBe("a");
});

test("close waits for requests in hand", async () => {
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { server, request } = await openTestServer({
    readStatus: async () => {
      enter();
      await released;
      return { drained: true };
    },
  });
  const answer = request("/v1/status");
  await entered;
  const closed = server.close({ graceMs: 60_000 });
  release();
  expect((await answer).body).toEqual({ drained: true });
  await closed;
  await expect(fetch(server.url)).rejects.toThrow();
});

test("close cuts off what does not end within its grace", async () => {
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const { server, request } = await openTestServer({
    readStatus: () => {
      enter();
      return new Promise(() => {});
    },
  });
  const answer = request("/v1/status").catch(() => "cut off");
  await entered;
  await server.close({ graceMs: 1 });
  expect(await answer).toBe("cut off");
});

test("draining: work is refused with 503 and the connection closed, what is in hand goes on, probes and metrics answer", async () => {
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { server, request, post, queue } = await openTestServer({
    search: async () => {
      enter();
      await released;
      return [];
    },
  });
  const search = post("/v1/collections/films/search", "{}");
  await entered;
  server.drain();
  const refused = await post(records, '{"id":"a"}');
  expect([refused.status, refused.body.error.code]).toEqual([503, "draining"]);
  expect([refused.headers.get("retry-after"), refused.headers.get("connection")]).toEqual(["1", "close"]);
  expect((await post("/v1/collections/films/search", "{}")).status).toBe(503);
  const answers = await Promise.all(
    ["/livez", "/readyz", "/metrics", "/v1/status"].map((path) => request(path)),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  release();
  expect((await search).status).toBe(200);
  expect(queue.sent).toEqual([]);
});

test("requests are counted by route, never by path", async () => {
  const counters = new RequestCounters();
  const { request, post } = await openTestServer({ counters });
  await post(records, '{"id":"a"}');
  await request(`${records}/secret-1`, { method: "DELETE" });
  await request(`${records}/secret-2`, { method: "DELETE" });
  await post("/v1/collections/secret/records", "[]");
  for (const path of ["/secret-1", "/secret-2"]) await request(path, { method: "PROPFIND" });
  const counted = counters.counts.map(({ method, route, status, requests }) => [
    method,
    route,
    status,
    requests,
  ]);
  expect(counted).toEqual([
    ["POST", "/v1/collections/:name/records", 202, 1],
    ["DELETE", "/v1/collections/:name/records/:id", 202, 2],
    ["POST", "/v1/collections/:name/records", 404, 1],
    ["none", "none", 404, 2],
  ]);
  expect([...counters.seconds].map(([route, { count }]) => [route, count])).toEqual([
    ["/v1/collections/:name/records", 2],
    ["/v1/collections/:name/records/:id", 2],
    ["none", 2],
  ]);
});
