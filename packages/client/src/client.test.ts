import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { MedleyClient, type MedleyClientOptions } from "./client.ts";

interface Scripted {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers what is scripted, in order, and keeps what it was asked. `cut` breaks the line. */
async function serverOf(...answers: (Scripted | "cut")[]) {
  const asked: { method: string; url: string; authorization: string | undefined; body: unknown }[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    const { method = "", url = "", headers } = request;
    const body = method === "POST" ? await json(request) : null;
    asked.push({ method, url, authorization: headers.authorization, body });
    const answer = answers.shift() ?? { status: 500 };
    if (answer === "cut") response.destroy();
    else {
      response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
      response.end(JSON.stringify(answer.body ?? {}));
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    asked,
    client: (options: Partial<MedleyClientOptions> = {}) => new MedleyClient({ url, ...options }),
  };
}

const refusal = (status: number, code: string): Scripted => ({
  status,
  body: { error: { code, message: "no", mend: "do" } },
  headers: { "retry-after": "0" },
});
const hits = { status: 200, body: { hits: [], tookMs: 1 } };

test("a search is sent with the token and tried again after 429, 503 and a line that breaks", async () => {
  const { client, asked } = await serverOf(refusal(429, "overloaded"), refusal(503, "draining"), "cut", hits);
  const answer = await client({ token: "t" }).search("films", { parts: { plot: "a heist" }, k: 3 });
  expect(answer).toEqual(hits.body);
  expect(asked).toHaveLength(4);
  expect(new Set(asked.map((one) => JSON.stringify(one)))).toEqual(
    new Set([
      JSON.stringify({
        method: "POST",
        url: "/v1/collections/films/search",
        authorization: "Bearer t",
        body: { parts: { plot: "a heist" }, k: 3 },
      }),
    ]),
  );
});

test("many searches go in batches, and each has its answer or its error in its place", async () => {
  const found = { hits: [], cursor: null };
  const failure = { error: { code: "query_invalid", message: "no" } };
  const results = Array.from({ length: 100 }, (_, n) => (n === 7 ? failure : found));
  const { client, asked } = await serverOf(
    { status: 200, body: { results, tookMs: 1 } },
    { status: 200, body: { results: [failure], tookMs: 1 } },
  );
  const queries = Array.from({ length: 101 }, (_, n) => ({ like: [`r${n}`], unlike: "x" }));
  expect(await client().searchAll("films", queries)).toEqual([...results, failure]);
  expect(asked.map(({ url }) => url)).toEqual(Array(2).fill("/v1/collections/films/searches"));
  expect(asked[1]?.body).toEqual({ searches: [{ like: ["r100"], unlike: "x" }] });
  const large = await serverOf(
    ...[2, 1].map((n) => ({ status: 200, body: { results: Array(n).fill(found) } })),
  );
  await large.client().searchAll("films", [{ k: 1_000 }, { k: 5_000 }, {}]);
  expect(large.asked.map(({ body }) => (body as { searches: unknown[] }).searches.length)).toEqual([2, 1]);
});

test("what does not pass is thrown at once, with the server's code and mend", async () => {
  const { client, asked } = await serverOf(refusal(422, "query_invalid"));
  await expect(client().search("films", {})).rejects.toMatchObject({ code: "query_invalid", mend: "do" });
  expect(asked).toHaveLength(1);
});

test("tries and time have an end", async () => {
  const busy = await serverOf(...Array.from({ length: 9 }, () => refusal(503, "store_unavailable")));
  await expect(busy.client({ triesMax: 3 }).collections()).rejects.toMatchObject({
    code: "store_unavailable",
  });
  expect(busy.asked).toHaveLength(3);
  const slow = await serverOf({ ...refusal(503, "draining"), headers: { "retry-after": "60" } });
  await expect(slow.client({ callMsMax: 100 }).collections()).rejects.toMatchObject({ code: "draining" });
  const nobody = new MedleyClient({ url: "http://127.0.0.1:1", triesMax: 1 });
  await expect(nobody.collections()).rejects.toMatchObject({ code: "service_unavailable" });
  expect(() => new MedleyClient({ url: "127.0.0.1:7400" })).toThrow("http");
});

test("what answers and is no Medley is service_unavailable", async () => {
  const { client } = await serverOf({ status: 404, body: { detail: "nothing here" } });
  await expect(client().collections()).rejects.toMatchObject({ code: "service_unavailable" });
});

test("the caller's signal ends the waiting", async () => {
  const { client } = await serverOf({ ...refusal(503, "draining"), headers: { "retry-after": "60" } });
  const signal = AbortSignal.timeout(50);
  await expect(client().collections(signal)).rejects.toMatchObject({ name: "TimeoutError" });
});

test("records go in batches; those refused for a passing reason go again, others keep their place", async () => {
  const passing = { index: 1, id: "r1", code: "transport_unavailable", message: "send it again" };
  const invalid = { index: 0, id: "r1000", code: "record_invalid", message: "no" };
  const { client, asked } = await serverOf(
    { status: 207, body: { accepted: 999, rejected: [passing] }, headers: { "retry-after": "0" } },
    { status: 202, body: { accepted: 1, rejected: [] } },
    { status: 422, body: { accepted: 0, rejected: [invalid] } },
  );
  const records = Array.from({ length: 1_001 }, (_, n) => ({ id: `r${n}` }));
  expect(await client().send("films", records)).toEqual({
    accepted: 1_000,
    rejected: [{ ...invalid, index: 1_000 }],
  });
  expect(asked.map(({ body }) => (body as unknown[]).length)).toEqual([1_000, 1, 1]);
  expect(asked[1]?.body).toEqual([{ id: "r1" }]);
});

test("all are sent or the first that is refused is thrown, with its own code", async () => {
  const refused = { index: 1, id: "b", code: "transport_unavailable", message: "send it again" };
  const { client } = await serverOf(
    { status: 202, body: { accepted: 2, rejected: [] } },
    { status: 207, body: { accepted: 1, rejected: [refused] } },
  );
  const records = [{ id: "a" }, { id: "b" }];
  await client().sendAll("films", records);
  await expect(client({ triesMax: 1 }).sendAll("films", records)).rejects.toMatchObject({
    code: "transport_unavailable",
    message: expect.stringMatching(/1 of 2 .*number 1: send it again/),
  });
});

test("inputs are encoded in batches; names are encoded for the path", async () => {
  const segment = (n: number) => [n, 1];
  const { client, asked } = await serverOf(
    { status: 200, body: { segments: Array.from({ length: 64 }, (_, n) => segment(n)) } },
    { status: 200, body: { segments: [segment(64)] } },
  );
  const inputs = Array.from({ length: 65 }, (_, n) => `text ${n}`);
  const segments = await client().encode({ collection: "a/b", space: "plot", inputs, as: "record" });
  expect(segments).toEqual(inputs.map((_, n) => segment(n)));
  expect(asked.map(({ url }) => url)).toEqual(Array(2).fill("/v1/collections/a%2Fb/spaces/plot/encode"));
  expect(asked[1]?.body).toEqual({ inputs: ["text 64"], as: "record" });
});
