import { expect, test } from "vitest";
import {
  type Answer,
  altered,
  codes,
  messageOf,
  numbered,
  openRemote,
  sendJson,
} from "./remote-server.fixture.ts";

test("a budget is for all encoders of a key, and nothing is sent once it is spent", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ tokensMax: 100, requestsInFlightMax: 1 });
  await using other = remote.open({ model: "other" });
  server.behaviour = altered((answer) => Object.assign(answer, { usage: { total_tokens: 40 } }));
  await other.encode(["a"]);
  expect(codes([...(await encoder.encode(["a"])), ...(await encoder.encode(["a"]))])).toEqual(["ok", "ok"]);
  const [result] = await encoder.encode(["a"]);
  expect(messageOf(result)).toContain("the budget of 100 tokens (tokensMax) is spent: 120 are used");
  await expect(encoder.encodeQuery("a")).rejects.toMatchObject({
    mend: expect.stringContaining("tokensMax"),
  });
  expect(server.received.length).toBe(3);
  await encoder[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await using again = remote.open({ tokensMax: 100 });
  expect(codes(await again.encode(["a"]))).toEqual(["encoder_unavailable"]); // Opened anew in the same process.
});

test.for<[string, (answer: Answer) => void]>([
  ["is absent", (answer) => delete answer.usage],
  ["is nonsense", (answer) => Object.assign(answer, { usage: { total_tokens: -5 } })],
])("where usage %s, a third of the bytes is counted", async ([, change]) => {
  await using remote = await openRemote();
  await using encoder = remote.open({ tokensMax: 1 });
  remote.server.behaviour = altered(change);
  await encoder.encode(["ä".repeat(300)]);
  expect(messageOf((await encoder.encode(["a"]))[0])).toContain("200 are used");
});

test("what is refused costs nothing", async () => {
  await using remote = await openRemote();
  await using encoder = remote.open({ tokensMax: 2 });
  remote.server.behaviour = (response, { body }) => body.input.includes("bad") && sendJson(response, {}, 400);
  expect(codes(await encoder.encode(["a"]))).toEqual(["ok"]);
  expect(codes(await encoder.encode(["bad"]))).toEqual(["encoder_failed"]);
  expect(codes(await encoder.encode(["b"]))).toEqual(["ok"]);
  expect(messageOf((await encoder.encode(["c"]))[0])).toContain("2 are used");
});

test("requests under way count against the budget, and so do those that timed out", async () => {
  await using remote = await openRemote();
  const { server } = remote;
  await using encoder = remote.open({ tokensMax: 2, batchTextsMax: 1, timeoutMs: 100 });
  const codesOf = codes(await encoder.encode(["a", "b", "c"]));
  expect(codesOf).toEqual(["ok", "ok", "encoder_unavailable"]);
  await using careful = remote.open({ url: `${server.url}/careful`, tokensMax: 2, timeoutMs: 100 });
  server.received.length = 0;
  server.behaviour = (response, _received, nth) => (nth <= 4 ? sendJson(response, {}, 500) : true);
  expect(messageOf((await careful.encode(["a"]))[0])).toContain("no answer");
  remote.time.pass(10_000);
  server.received.length = 0;
  server.behaviour = () => true;
  expect(messageOf((await careful.encode(["a"]))[0])).toContain("(tokensMax) is spent: 2 are used");
  expect(server.received.length).toBe(1);
});

test("the rates are kept, by all encoders of a key together", async () => {
  await using remote = await openRemote();
  const { server, time } = remote;
  await using encoder = remote.open({ requestsPerMinuteMax: 10, batchTextsMax: 1 });
  await using other = remote.open({ model: "other", batchTextsMax: 1 });
  await Promise.all([encoder.encode(numbered(15)), other.encode(numbered(15))]);
  expect(server.received.length).toBe(30);
  expect(time.nowMs()).toBeGreaterThanOrEqual(29 * 6_000);
  await using byTokens = remote.open({ url: `${server.url}/b`, tokensPerMinuteMax: 600, batchTextsMax: 1 });
  server.behaviour = altered((answer) => Object.assign(answer, { usage: { total_tokens: 100 } }));
  const begunMs = time.nowMs();
  await byTokens.encode(numbered(12)); // 3 tokens each as estimated, 100 in truth.
  expect(time.nowMs() - begunMs).toBeGreaterThanOrEqual(60_000);
});
