import { createRequire } from "node:module";
import { afterEach, expect, test, vi } from "vitest";
import "./kafkajs-client.ts";

interface Request {
  readonly entry: { readonly correlationId: number; readonly resolve: () => void };
  readonly expectResponse: boolean;
  readonly sendRequest: () => void;
}

const RequestQueue = createRequire(import.meta.url)("kafkajs/src/network/requestQueue/index.js");
const logger = { debug: () => {} };

function connected(): {
  push(request: Request): void;
  checkPendingRequests(): void;
  maybeThrottle(milliseconds: number): void;
} {
  return new RequestQueue({ maxInFlightRequests: null, requestTimeout: 1_000, clock: Date, logger });
}

afterEach(() => vi.useRealTimers());

test("a connection of kafkajs without a waiting request sets no timer", () => {
  vi.useFakeTimers();
  connected().checkPendingRequests();
  expect(vi.getTimerCount()).toBe(0);
});

test("a request that the broker makes wait is sent when its time has come", () => {
  vi.useFakeTimers();
  const queue = connected();
  const sent: number[] = [];
  queue.maybeThrottle(50);
  const entry = { correlationId: 1, resolve: () => {} };
  queue.push({ entry, expectResponse: false, sendRequest: () => sent.push(1) });
  vi.advanceTimersByTime(49);
  expect(sent).toEqual([]);
  vi.advanceTimersByTime(20);
  expect(sent).toEqual([1]);
  expect(vi.getTimerCount()).toBe(0);
});
