import { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { scopes } from "../index.ts";
import { openTestServer, tokenOf } from "../server.fixture.ts";

test("livez asks no dependency; readyz lists each with its time and is 503 when one fails", async () => {
  let storeServes = false;
  let asked = 0;
  const store = async () => {
    asked += 1;
    if (!storeServes) throw new MedleyError("store_unavailable", "password=secret");
  };
  const { request } = await openTestServer({
    tokens: [tokenOf("t", scopes)],
    checks: { queue: async () => {}, store },
  });
  expect(await request("/livez")).toMatchObject({ status: 200, body: { live: true } });
  expect(asked).toBe(0);
  expect(await request("/readyz")).toMatchObject({
    status: 503,
    body: {
      ready: false,
      checks: [
        { name: "queue", ok: true, ms: expect.any(Number) },
        { name: "store", ok: false, code: "store_unavailable" },
      ],
    },
  });
  storeServes = true;
  expect(await request("/readyz")).toMatchObject({ status: 200, body: { ready: true } });
});

test("a check that never answers fails readyz", async () => {
  const { request } = await openTestServer({ checks: { stuck: () => new Promise(() => {}) } });
  expect(await request("/readyz")).toMatchObject({ status: 503, body: { checks: [{ code: "timed_out" }] } });
});

test("status is what it is given", async () => {
  const { request } = await openTestServer();
  expect(await request("/v1/status")).toMatchObject({ status: 200, body: { rows: 3 } });
});

test("metrics are what they are given, as Prometheus wants them", async () => {
  const { request } = await openTestServer();
  const { body, headers } = await request("/metrics");
  expect(headers.get("content-type")).toContain("version=0.0.4");
  expect(body).toBe("medley_up 1\n");
});
