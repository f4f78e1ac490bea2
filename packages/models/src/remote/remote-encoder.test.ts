import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { checkConfig } from "@medley/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { dimensions, honest, openRemote, segmentOf, sendJson } from "./remote-server.fixture.ts";

const numbered = (n: number, prefix = "text ") => Array.from({ length: n }, (_, i) => `${prefix}${i}`);
/** Compares to float32's rounding: the encoder sums in another order. */
function expectSegments(results: readonly { ok: boolean; value?: unknown }[], texts: readonly string[]) {
  expect(results.length).toBe(texts.length);
  for (const [index, result] of results.entries()) {
    expect(result.ok).toBe(true);
    const segment = result.value as Float32Array;
    segmentOf(texts[index] as string).forEach((x, i) => {
      expect(segment[i]).toBeCloseTo(x, 6);
    });
    expect(Math.hypot(...segment)).toBeCloseTo(1, 6);
  }
}

test("texts become the endpoint's vectors, of unit length, in batches of 64", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open();
  const texts = numbered(150);
  expectSegments(await encoder.encode(texts), texts);
  expect(remote.server.batches.map((batch) => batch.length).sort()).toEqual([22, 64, 64]);
  expect(remote.server.received[0]).toMatchObject({
    path: "/v1/embeddings",
    body: { model: "hash-8", encoding_format: "base64" },
  });
  expect(remote.server.received[0]?.body).not.toHaveProperty("dimensions");
  expect(remote.server.received[0]?.headers).not.toHaveProperty("authorization");
  expect([encoder.dimensions, encoder.usesModel]).toEqual([dimensions, true]);
});

test("calls of the same moment share a request", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open();
  const texts = numbered(10);
  const results = await Promise.all(texts.map((text) => encoder.encode([text])));
  expectSegments(results.flat(), texts);
  expect(remote.server.batches).toEqual([texts]);
});

test("a request takes at most some 600 kB, and one larger text goes alone", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open();
  const large = (char: string, bytes: number) => char.repeat(bytes);
  const texts = [large("a", 300_000), large("b", 300_000), "c", large("d", 900_000), "e"];
  expectSegments(await encoder.encode(texts), texts);
  expect(remote.server.batches.map((batch) => batch.map((text) => text[0])).sort()).toEqual([
    ["a", "b"],
    ["c"],
    ["d"],
    ["e"],
  ]);
});

test("a text that says nothing costs no request, and stays beside those that do", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open({ passagePrompt: "passage: ", queryPrompt: "query: " });
  const nothing = { ok: true, value: new Float32Array(dimensions) };
  expect(await encoder.encode(["", " \n\t"])).toEqual([nothing, nothing]);
  expect(await encoder.encodeQuery("  ")).toEqual(nothing.value);
  expect(remote.server.received).toEqual([]);
  const results = await encoder.encode(["", "a", " ", "b"]);
  expect([results[0], results[2]]).toEqual([nothing, nothing]);
  expectSegments([results[1], results[3]] as never, ["passage: a", "passage: b"]);
  expectSegments([{ ok: true, value: await encoder.encodeQuery("a") }], ["query: a"]);
});

test("dimensions are asked for where the space says so", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open({ asksDimensions: true });
  await encoder.encode(["a"]);
  expect(remote.server.received[0]?.body.dimensions).toBe(dimensions);
});

test("the identity is the model's, not the endpoint's", async () => {
  await using remote = await openRemote();
  const identity = (space: object) => remote.open(space).identity;
  const own = identity({});
  expect(own).toMatch(/^[0-9a-f]{64}$/);
  const same = [
    { url: "https://x.example/v1" },
    { queryPrompt: "q" },
    { passagePrompt: "" },
    { timeoutMs: 9 },
  ];
  expect(same.map(identity)).toEqual(same.map(() => own));
  const others = [{ model: "b" }, { dimensions: 9 }, { passagePrompt: "p" }].map(identity);
  expect(new Set([own, ...others]).size).toBe(4);
});

test("no more requests are under way than allowed", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ batchTextsMax: 2, requestsInFlightMax: 3 });
  const gate = Promise.withResolvers<false>();
  server.behaviour = () => {
    if (server.inFlight === 3) setTimeout(() => gate.resolve(false), 20);
    return gate.promise;
  };
  const texts = numbered(40);
  expectSegments(await encoder.encode(texts), texts);
  expect(server.inFlightMax).toBe(3);
});

test("a search goes ahead of the records that wait", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ batchTextsMax: 1, requestsInFlightMax: 1 });
  const first = Promise.withResolvers<false>();
  const arrived = Promise.withResolvers<void>();
  server.behaviour = (_response, _received, nth) => {
    arrived.resolve();
    return nth === 1 ? first.promise : false;
  };
  const records = encoder.encode(["r1", "r2", "r3"]);
  await arrived.promise;
  const search = encoder.encodeQuery("search");
  await new Promise(setImmediate);
  first.resolve(false);
  await Promise.all([records, search]);
  expect(server.batches.flat()).toEqual(["r1", "search", "r2", "r3"]);
});

test("who gives up takes its waiting texts along; the shared request goes on for the others", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ batchTextsMax: 2, requestsInFlightMax: 1 });
  const gate = Promise.withResolvers<false>();
  const arrived = Promise.withResolvers<void>();
  server.behaviour = () => {
    arrived.resolve();
    return gate.promise;
  };
  const giveUp = new AbortController();
  const gone = encoder.encode(["b"], giveUp.signal); // Shares the first request.
  const stays = encoder.encode(["x"]);
  const goneWaiting = encoder.encode(["never sent"], giveUp.signal);
  await arrived.promise;
  giveUp.abort(new Error("enough"));
  await expect(gone).rejects.toThrow("enough");
  await expect(goneWaiting).rejects.toThrow("enough");
  await expect(encoder.encode(["z"], giveUp.signal)).rejects.toThrow("enough");
  await expect(encoder.encodeQuery("z", giveUp.signal)).rejects.toThrow("enough");
  gate.resolve(false);
  expectSegments(await stays, ["x"]);
  expectSegments(await encoder.encode(["after"]), ["after"]);
  expect(server.batches).toEqual([["b", "x"], ["after"]]);
});

test("a request that nobody waits for is given up, and frees its slot", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ requestsInFlightMax: 1 });
  const closed = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  server.behaviour = (response, _received, nth) => {
    if (nth > 1) return false;
    response.once("close", () => closed.resolve());
    return arrived.resolve(); // Hangs.
  };
  const giveUp = new AbortController();
  const gone = encoder.encode(["a"], giveUp.signal);
  await arrived.promise;
  giveUp.abort(new Error("enough"));
  await expect(gone).rejects.toThrow("enough");
  await closed.promise;
  expectSegments(await encoder.encode(["b"]), ["b"]);
});

test("more than may wait is refused, and a large call comes in windows", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ requestsInFlightMax: 1, batchTextsMax: 2048 });
  const gate = Promise.withResolvers<false>();
  server.behaviour = () => gate.promise;
  const calls = Array.from({ length: 10 }, (_, i) => encoder.encode(numbered(1_024, `call ${i} `)));
  await new Promise(setImmediate);
  const refused = await Promise.race(calls);
  expect(refused[0]).toMatchObject({ ok: false, failure: { code: "encoder_unavailable" } });
  expect(refused[0]).toMatchObject({
    failure: { message: expect.stringContaining("wait for the endpoint") },
  });
  gate.resolve(false);
  const taken = (await Promise.all(calls)).filter((results) => results[0]?.ok).length;
  expect(taken).toBeGreaterThanOrEqual(4);
  expect(taken).toBeLessThan(10);
  const texts = numbered(5_000, "large ");
  expectSegments(await encoder.encode(texts), texts);
});

test("a closed encoder answers its callers, and ends what is under way", async () => {
  await using remote = await openRemote();
  const arrived = Promise.withResolvers<void>();
  remote.server.behaviour = () => arrived.resolve(); // Hangs.
  const encoder = remote.open({ requestsInFlightMax: 1, batchTextsMax: 1 });
  const calls = encoder.encode(["under way", "waiting"]);
  await arrived.promise;
  await encoder[Symbol.asyncDispose]();
  const closed = { ok: false, failure: { code: "encoder_unavailable", message: /is closed/ } };
  for (const result of [...(await calls), ...(await encoder.encode(["late"]))]) {
    expect(result).toMatchObject({ ok: false, failure: { code: closed.failure.code } });
    expect(!result.ok && result.failure.message).toMatch(closed.failure.message);
  }
});

test("a closed encoder leaves its account, once", async () => {
  await using remote = await openRemote();
  const { server, accounts } = remote;
  const encoder = remote.open();
  await encoder.encode(["a"]);
  await encoder[Symbol.asyncDispose]();
  await encoder[Symbol.asyncDispose]();
  const spent = () => accounts.open(`${server.url}/embeddings`, null, {}).account.spentTokens;
  for (let i = 0; i < 257; i++) accounts.open(`https://${i}`, null, {})[Symbol.dispose]();
  expect(spent()).toBe(0); // Only of those not in use are the oldest forgotten.
});

test("a search that is no text is refused", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open();
  await expect(encoder.encodeQuery(7 as never)).rejects.toMatchObject({ code: "query_invalid" });
});

test("whatever calls meet, and in whatever order answers come, each gets its own vectors in order", async () => {
  await using remote = await openRemote();
  const call = fc.record({
    texts: fc.array(fc.string({ maxLength: 6 }), { maxLength: 7 }),
    isQuery: fc.boolean(),
    ticksBefore: fc.nat(3),
    givesUp: fc.boolean(),
  });
  const shape = fc.record({
    batchTextsMax: fc.integer({ min: 1, max: 5 }),
    requestsInFlightMax: fc.integer({ min: 1, max: 4 }),
  });
  const run = async (
    calls: (typeof call extends fc.Arbitrary<infer Call> ? Call : never)[],
    space: object,
    delays: number[],
  ) => {
    await using encoder = remote.open(space);
    remote.server.behaviour = async (response, { body }, nth) => {
      const ticks = delays[nth % delays.length] ?? 0;
      for (let i = 0; i < ticks; i++) await new Promise(setImmediate);
      const answer = honest(body);
      answer.data.sort(() => (nth % 2 === 0 ? -1 : 1));
      sendJson(response, answer);
    };
    await Promise.all(
      calls.map(async ({ texts, isQuery, ticksBefore, givesUp }) => {
        for (let i = 0; i < ticksBefore; i++) await new Promise(setImmediate);
        const [query = ""] = texts;
        const giveUp = new AbortController();
        if (givesUp) setImmediate(() => giveUp.abort(new Error("enough")));
        const asked = isQuery ? [query] : texts;
        const answer = isQuery
          ? encoder.encodeQuery(query, giveUp.signal).then((value) => [{ ok: true, value }])
          : encoder.encode(texts, giveUp.signal);
        const results = await answer.catch((error) => {
          if (givesUp && error.message === "enough") return null;
          throw error;
        });
        if (results === null) return;
        const says = [...asked.keys()].filter((i) => (asked[i] as string).trim() !== "");
        expectSegments(
          says.map((i) => results[i]) as never,
          says.map((i) => asked[i] as string),
        );
      }),
    );
  };
  const property = fc.asyncProperty(
    fc.array(call, { minLength: 1, maxLength: 8 }),
    shape,
    fc.array(fc.nat(6), { minLength: 1, maxLength: 5 }),
    run,
  );
  await fc.assert(property, { numRuns: 60 });
});

test("numbers in decimal are read as well as base64", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open();
  remote.server.behaviour = (response, { body }) =>
    sendJson(response, honest({ ...body, encoding_format: "float" }));
  expectSegments(await encoder.encode(["a", "b"]), ["a", "b"]);
});

test("the configurations of docs/ENCODERS.md are taken", async () => {
  const page = readFileSync(new URL("../../../../docs/ENCODERS.md", import.meta.url), "utf8");
  const section = page.slice(page.indexOf("## remote"), page.indexOf("## number"));
  const examples = [...section.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  expect(examples.length).toBe(4);
  for (const example of examples) {
    const spaces = runInNewContext(`({${example}})`);
    const fields = { title: "text", plot: "text" };
    expect(checkConfig({ collections: { films: { fields, spaces: { ...spaces } } } }).length).toBe(1);
  }
});
