import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { openChat } from "./chat.ts";
import { EndpointKey } from "./endpoint-key.ts";

const question = { instructions: "be brief", sentence: "secret sentence", schema: { type: "object" } };

/** A chat endpoint on loopback that answers as `answer` says. */
async function openServer(answer: (response: ServerResponse, nth: number, request: IncomingMessage) => void) {
  const bodies: { model: string; messages: object[]; response_format: object }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    bodies.push(JSON.parse(body));
    answer(response, bodies.length, request);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, bodies, [Symbol.asyncDispose]: close };
}

const send = (response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}) =>
  response.writeHead(status, headers).end(body);
const content = (text: string) => JSON.stringify({ choices: [{ message: { content: text } }] });

test("asks with a strict schema and the key, and gives the answer as JSON", async () => {
  const seen: (string | undefined)[] = [];
  await using server = await openServer((response, _, { url, headers }) => {
    seen.push(url, headers.authorization);
    send(response, 200, content('{"k": 3}'));
  });
  const chat = openChat({ url: server.url, model: "m", key: new EndpointKey("abc") });
  expect(await chat(question)).toEqual({ ok: true, value: { k: 3 } });
  expect(seen).toEqual(["/v1/chat/completions", "Bearer abc"]);
  expect(server.bodies[0]).toEqual({
    model: "m",
    temperature: 0,
    messages: [
      { role: "system", content: "be brief" },
      { role: "user", content: "secret sentence" },
    ],
    response_format: {
      type: "json_schema",
      json_schema: { name: "search", strict: true, schema: { type: "object" } },
    },
  });
});

test.for<[string, number, string, string]>([
  ["a refusal", 400, '{"error": "secret sentence"}', "answers 400"],
  ["no JSON", 200, "secret sentence", "something else than the JSON"],
  ["no content", 200, "{}", "something else than the JSON"],
  ["content that is no JSON", 200, content("I can't"), "something else than the JSON"],
  ["too much", 200, content(`"${"x".repeat(300_000)}"`), "more than 262144 bytes"],
])("%s is a failure that quotes nothing", async ([, status, body, message]) => {
  await using server = await openServer((response) => send(response, status, body));
  const answer = await openChat({ url: server.url, model: "m", key: null })(question);
  expect(answer).toMatchObject({ ok: false, failure: expect.stringContaining(message) });
  expect(JSON.stringify(answer)).not.toContain("secret");
  expect(server.bodies.length).toBe(1);
});

test("what may pass is tried twice, and no more", async () => {
  await using server = await openServer((response, nth) =>
    nth === 1 ? send(response, 429, "", { "retry-after-ms": "1" }) : send(response, 200, content("{}")),
  );
  expect(await openChat({ url: server.url, model: "m", key: null })(question)).toEqual({
    ok: true,
    value: {},
  });
  await using down = await openServer((response) => send(response, 503, "", { "retry-after-ms": "1" }));
  const answer = await openChat({ url: down.url, model: "m", key: null })(question);
  expect(answer).toMatchObject({ ok: false, failure: expect.stringContaining("answers 503") });
  expect(down.bodies.length).toBe(2);
});

test("an endpoint that never answers is given up, and so is a question that nobody waits for", async () => {
  await using server = await openServer(() => {});
  const slow = openChat({ url: server.url, model: "m", key: null, timeoutMs: 50 });
  expect(await slow(question)).toMatchObject({
    ok: false,
    failure: expect.stringContaining("no answer in time"),
  });
  const giveUp = new AbortController();
  const asked = openChat({ url: server.url, model: "m", key: null })(question, giveUp.signal);
  giveUp.abort(new Error("gone"));
  await expect(asked).rejects.toThrow("gone");
});

test("a key does not go to a public host in plain http", () => {
  expect(() => openChat({ url: "http://example.com/v1", model: "m", key: new EndpointKey("abc") })).toThrow(
    expect.objectContaining({ code: "usage", mend: "correct MEDLEY_CHAT_URL" }),
  );
});
