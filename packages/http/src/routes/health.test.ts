import { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { openTestServer, unavailable } from "../server.fixture.ts";

test("livez asks no dependency; readyz lists each with its time and is 503 when one fails", async () => {
  let storeServes = false;
  let asked = 0;
  const store = async () => {
    asked += 1;
    if (!storeServes) throw new MedleyError("store_unavailable", "password=secret");
  };
  const { request } = await openTestServer({ token: "t", checks: { queue: async () => {}, store } });
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

test("metrics count what the stages did, and stay there while the queue is away", async () => {
  const { request, post, queue, counters } = await openTestServer();
  await post("/v1/collections/films/records", '[{"id":"a"},{"id":"b"},{}]');
  Object.assign(counters.segments, { encoded: 5, encodedByModel: 2, reused: 7 });
  const { body, headers } = await request("/metrics");
  expect(headers.get("content-type")).toContain("version=0.0.4");
  expect(body.split("\n")).toEqual(
    expect.arrayContaining([
      "# TYPE medley_records_total counter",
      'medley_records_total{stage="produce",outcome="received"} 3',
      'medley_records_total{stage="produce",outcome="sent"} 2',
      'medley_segments_total{kind="encoded_by_model"} 2',
      'medley_segments_total{kind="encoded_closed_form"} 3',
      'medley_segments_total{kind="reused"} 7',
      'medley_backlog{lane="stream",channel="records",unit="packets",state="in_flight"} 1',
    ]),
  );
  expect(body.endsWith("\n")).toBe(true);
  queue.fault = unavailable;
  const without = (await request("/metrics")).body;
  expect(without).toContain("medley_records_total");
  expect(without).not.toContain("medley_backlog");
});
