import type { EncodeResult } from "@medley/core";
import { expect, test } from "vitest";
import {
  type Answer,
  altered,
  type Behaviour,
  codes,
  dimensions,
  type Entry,
  honest,
  messageOf,
  numbered,
  openRemote,
  sendJson,
} from "./remote-server.fixture.ts";

const entryOf = (answer: Answer, index: number) => answer.data[index] as Entry;

/** `fault` for the first `times` requests, then what is right. */
const firstly =
  (fault: Behaviour, times = 1): Behaviour =>
  (response, received, nth) =>
    nth <= times ? fault(response, received, nth) : false;
const status =
  (code: number, body: unknown = {}, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    sendJson(response, body, code, headers);
const partial =
  (end: "reset" | "early"): Behaviour =>
  (response, { body }) => {
    const text = JSON.stringify(honest(body));
    if (end === "early") return sendJson(response, text.slice(0, -40));
    response.writeHead(200, { "content-length": text.length });
    return response.write(text.slice(0, 40), () => response.destroy());
  };
const hangs: Behaviour = () => true;
const hangsInBody: Behaviour = (response) => {
  response.writeHead(200).write('{"data": [');
};

test.for<[string, Behaviour]>([
  ["408", status(408)],
  ["409", status(409)],
  ["425", status(425)],
  ["429 without a word of when", status(429)],
  ["429 with a time", status(429, {}, { "retry-after": "7" })],
  ["500", status(500)],
  ["503 from a proxy", status(503, "<html>down</html>")],
  ["a connection that is reset", (response) => response.destroy()],
  ["a connection that is reset in the answer", partial("reset")],
  ["JSON that breaks off", partial("early")],
  ["an answer that is none", status(200, { error: { message: "busy" } })],
  ["a page instead of an answer", status(200, "<html>log in</html>")],
  ["no answer", hangs],
  ["half an answer", hangsInBody],
  ["too few vectors", altered((answer) => answer.data.pop())],
  ["too many vectors", altered((answer) => answer.data.push({ ...entryOf(answer, 0) }))],
  ["an index twice", altered((answer) => Object.assign(entryOf(answer, 1), { index: 0 }))],
  ["an index beyond", altered((answer) => Object.assign(entryOf(answer, 1), { index: 2 }))],
  ["an index that is no number", altered((answer) => Object.assign(entryOf(answer, 1), { index: "1" }))],
  ["no index", altered((answer) => Object.assign(entryOf(answer, 1), { index: undefined }))],
  ["an entry that is null", altered((answer) => answer.data.splice(1, 1, null as never))],
  ["no embedding", altered((answer) => Object.assign(entryOf(answer, 1), { embedding: null }))],
  [
    "base64 with something else in it",
    altered(({ data }, { body }) => {
      const [, entry] = honest({ ...body, encoding_format: "base64" }).data;
      data[1] = { index: 1, embedding: `${entry?.embedding}!` };
    }),
  ],
  ["base64 of something else", altered((answer) => Object.assign(entryOf(answer, 1), { embedding: "a-b" }))],
])("%s passes: tried again, and given up after five attempts", async ([, fault]) => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ timeoutMs: 150 });
  server.behaviour = firstly(fault, 2);
  expect(codes(await encoder.encode(["a", "b"]))).toEqual(["ok", "ok"]);
  expect(server.received.length).toBe(3);
  server.received.length = 0;
  server.behaviour = fault;
  const results = await encoder.encode(["a", "b"]);
  expect(codes(results)).toEqual(["encoder_unavailable", "encoder_unavailable"]);
  expect(messageOf(results[0])).toContain("after 5 attempt(s)");
  expect(server.received.length).toBe(5);
});

test("pauses grow, are of full jitter, and keep to what the endpoint asks", async () => {
  await using remote = await openRemote();
  const { server, time } = remote;
  await using encoder = remote.open();
  const arrivals: number[] = [];
  const fault = (answer: Behaviour): Behaviour => {
    return (...request) => {
      arrivals.push(time.nowMs());
      return answer(...request);
    };
  };
  const waits = () => arrivals.slice(1).map((at, i) => Math.round(at - (arrivals[i] as number)));
  server.behaviour = fault(status(500));
  await encoder.encode(["a"]);
  expect(waits()).toEqual([500, 1000, 2000, 4000]); // Random 0.5 of 1, 2, 4, 8 s.
  arrivals.length = 0;
  time.pass(60_000);
  server.received.length = 0;
  server.behaviour = fault(firstly(status(429, {}, { "retry-after-ms": "1500", "retry-after": "9" })));
  expect(codes(await encoder.encode(["a"]))).toEqual(["ok"]);
  expect(waits()).toEqual([1750]);
});

test("an endpoint that asks for a long wait is left alone, by all who use its key", async () => {
  await using remote = await openRemote();
  const { server, time } = remote;
  await using encoder = remote.open();
  await using other = remote.open({ model: "other" });
  server.behaviour = firstly(status(429, {}, { "retry-after": "3600" }));
  const [result] = await encoder.encode(["a"]);
  expect(messageOf(result)).toContain("429, after 1 attempt(s)");
  const begunMs = time.nowMs();
  expect(codes(await other.encode(["a"]))).toEqual(["ok"]);
  expect(time.nowMs() - begunMs).toBeGreaterThanOrEqual(59_000); // A minute is the most that is believed.
});

test("a search gives up sooner than a record", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open();
  server.behaviour = status(500);
  await expect(encoder.encodeQuery("a")).rejects.toMatchObject({
    code: "encoder_unavailable",
    message: expect.stringContaining("after 3 attempt(s)"),
    mend: expect.stringContaining(server.url),
  });
  expect(server.received.length).toBe(3);
});

test.for([400, 413, 422])("%i for one text of a batch is that text's own", async (code) => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open();
  server.behaviour = (response, { body }) =>
    body.input.includes("text 37") &&
    sendJson(response, { error: { code: "context_length_exceeded" } }, code);
  const results = await encoder.encode(numbered(64));
  expect(codes(results).indexOf("encoder_failed")).toBe(37);
  expect(codes(results).filter((each) => each === "ok").length).toBe(63);
  expect(messageOf(results[37])).toContain(`${code} (context_length_exceeded) to this text alone`);
  expect(server.received.length).toBeLessThanOrEqual(2 * 6 + 1 + 1); // And the probe.
  await expect(encoder.encodeQuery("text 37")).rejects.toMatchObject({ code: "encoder_failed" });
});

test("an endpoint that takes smaller batches teaches it once", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ requestsInFlightMax: 1 });
  server.behaviour = (response, { body }) => body.input.length > 32 && sendJson(response, {}, 413);
  expect(codes(await encoder.encode(numbered(200)))).toEqual(numbered(200).map(() => "ok"));
  const refused = server.batches.filter((batch) => batch.length > 32);
  expect(refused.length).toBe(1);
});

test("an endpoint that does not know base64 is asked for decimals from then on", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open();
  server.behaviour = (response, { body }) => body.encoding_format === "base64" && sendJson(response, {}, 400);
  expect(codes(await encoder.encode(numbered(10)))).toEqual(numbered(10).map(() => "ok"));
  const formats = () => server.received.map(({ body }) => body.encoding_format);
  expect(formats()).toEqual(["base64", "base64", "float", "float"]); // The batch, two probes, the batch.
  await encoder.encode(["a"]);
  expect(formats().at(-1)).toBe("float");
});

test("an endpoint that refuses whatever it is asked makes no dead letters", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open();
  server.behaviour = status(400, { error: { code: "model_not_found" } });
  const results = await encoder.encode(numbered(500));
  expect(new Set(codes(results))).toEqual(new Set(["encoder_unavailable"]));
  expect(messageOf(results[0])).toContain("to every request, whatever the text; check model, dimensions");
  expect(server.received.length).toBeLessThanOrEqual(4 + 2);
});

test("a probe that is given up with its batch is sent again for the others", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ batchTextsMax: 1 });
  const probed = Promise.withResolvers<void>();
  const refused = Promise.withResolvers<void>();
  server.behaviour = async (response, { body }) => {
    const [text] = body.input;
    if (text === "probe") {
      if (server.batches.flat().filter((each) => each === "probe").length > 1) return false;
      return probed.resolve(); // Hangs.
    }
    if (text === "second") await probed.promise;
    sendJson(response, {}, 400);
    if (text === "second") response.once("close", refused.resolve);
    return true;
  };
  const giveUp = new AbortController();
  const first = encoder.encode(["first"], giveUp.signal);
  const second = encoder.encode(["second"]);
  await probed.promise;
  await refused.promise;
  await new Promise((resolve) => setTimeout(resolve, 50)); // Until it waits for the other's probe.
  giveUp.abort(new Error("enough"));
  await expect(first).rejects.toThrow("enough");
  expect(codes(await second)).toEqual(["encoder_failed"]);
});

test("nor does one that comes to refuse everything", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open();
  await encoder.encode(["a"]);
  server.behaviour = status(422);
  const results = await encoder.encode(numbered(64));
  // The first text to stand alone, before the probe: the packet is tried again, as others are unavailable.
  expect(codes(results).filter((code) => code === "encoder_failed").length).toBe(1);
  expect(codes(results).filter((code) => code === "encoder_unavailable").length).toBe(63);
});

test.for<[number, Record<string, unknown>, string]>([
  [401, { error: { code: "invalid_api_key" } }, "set SOME_KEY to a key that may use the model hash-8"],
  [403, {}, "set SOME_KEY to a key"],
  [404, { error: { code: "model_not_found" } }, "that the endpoint serves the model hash-8"],
  [402, {}, "check url and model"],
  [429, { error: { code: "insufficient_quota" } }, "raise it at the provider"],
  [301, {}, "redirects are not followed"],
  [307, {}, "redirects are not followed"],
])("%i opens the circuit: one request, then none for ten seconds", async ([code, body, mend]) => {
  await using remote = await openRemote();
  const { server, time } = remote;
  await using elsewhere = await openRemote();
  await using encoder = remote.open({ keyVariable: "SOME_KEY" }, { SOME_KEY: "sk-a" });
  server.behaviour = status(code, body, { location: elsewhere.server.url });
  const [result] = await encoder.encode(["a"]);
  expect(result).toMatchObject({ ok: false, failure: { code: "encoder_unavailable" } });
  expect(messageOf(result)).toContain(String(code));
  expect(messageOf(result)).toContain(mend);
  const error = await encoder.encodeQuery("b").catch((thrown) => thrown);
  expect(error).toMatchObject({ code: "encoder_unavailable", mend: expect.stringContaining(mend) });
  expect(server.received.length).toBe(1);
  expect(elsewhere.server.received).toEqual([]);
  time.pass(10_000);
  server.behaviour = () => false;
  expect(codes(await encoder.encode(["a"]))).toEqual(["ok"]);
});

test("a key that is missing is asked for by the name it is given with", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open();
  remote.server.behaviour = status(401);
  expect(messageOf((await encoder.encode(["a"]))[0])).toContain("with keyVariable");
});

test("a model of another size is the space's mistake, not the texts'", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ dimensions: 1536 });
  const [result] = await encoder.encode(["a"]);
  expect(codes([result as EncodeResult])).toEqual(["encoder_unavailable"]);
  expect(messageOf(result)).toContain(
    `have ${dimensions} dimensions, but the space has 1536; set dimensions`,
  );
  expect(server.received.length).toBe(1);
});

test("an answer is not read beyond what its vectors may take", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open();
  remote.server.behaviour = async (response) => {
    response.writeHead(200);
    const closed = new Promise((resolve) => response.once("close", resolve));
    while (!response.destroyed) {
      const wentOn = response.write(Buffer.alloc(65_536, 32));
      if (!wentOn) await Promise.race([closed, new Promise((resolve) => response.once("drain", resolve))]);
    }
  };
  const [result] = await encoder.encode(["a"]);
  expect(messageOf(result)).toContain(`more than the ${65_536 + 1_024 + 32 * dimensions} bytes`);
});

test("answers in another order are put into that of the texts", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open();
  const texts = numbered(5);
  const inOrder = await encoder.encode(texts);
  remote.server.behaviour = altered((answer) => answer.data.reverse());
  expect(await encoder.encode(texts)).toEqual(inOrder);
  expect(remote.server.received.length).toBe(2);
});

test("an endpoint that is not there is named, with the reason", async () => {
  await using encoder = await (async () => {
    await using remote = await openRemote();
    return remote.open();
  })();
  const [result] = await encoder.encode(["a"]);
  expect(messageOf(result)).toMatch(
    /^http.*\/v1\/embeddings can't be reached, or broke off \(ECONNREFUSED\)/,
  );
});

test.for<[string, unknown]>([
  ["null", [1, null, 3, 4, 5, 6, 7, 8]],
  ["a string", [1, "2", 3, 4, 5, 6, 7, 8]],
  ["a number beyond float32", [1, 1e300, 3, 4, 5, 6, 7, 8]],
  ["NaN in base64", Buffer.from(Float32Array.of(1, Number.NaN, 3, 4, 5, 6, 7, 8).buffer).toString("base64")],
  ["zeros only", [0, 0, 0, 0, 0, 0, 0, -0]],
])("%s in a vector is its text's own failure", async ([, embedding]) => {
  await using remote = await openRemote();
  await using encoder = remote.open();
  remote.server.behaviour = altered((answer) => Object.assign(entryOf(answer, 1), { embedding }));
  const results = await encoder.encode(["a", "b", "c"]);
  expect(codes(results)).toEqual(["ok", "encoder_failed", "ok"]);
  expect(remote.server.received.length).toBe(1);
});

test("NaN as Python writes it is one text's failure as well", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open();
  remote.server.behaviour = (response, { body }) => {
    const answer = honest({ ...body, encoding_format: "float" });
    Object.assign(entryOf(answer, 1), { embedding: ["@", 2, "@", 4, 5, 6, 7, "-@"] });
    sendJson(response, JSON.stringify(answer, null, 1).replaceAll(/"(-?)@"/g, "$1NaN"));
  };
  expect(codes(await encoder.encode(["a", "b", "c"]))).toEqual(["ok", "encoder_failed", "ok"]);
});
