import { SpanKind, TraceFlags } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { upsert } from "./ports.fixture.ts";
import { inSpan, originsOf, parseTraceparent, spanLinksMax, traceparentOf } from "./tracing.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${spanId}-01`;

test("a traceparent is read as the W3C has it; later versions may bring more", () => {
  const sampled = { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
  expect(parseTraceparent(traceparent)).toEqual(sampled);
  expect(parseTraceparent(`cc-${traceId}-${spanId}-01-what-comes`)).toEqual(sampled);
  expect(parseTraceparent(`00-${traceId}-${spanId}-02`)?.traceFlags).toBe(TraceFlags.NONE);
});

test.for([
  undefined,
  "",
  "00",
  `ff-${traceId}-${spanId}-01`,
  `${traceparent}-more`,
  traceparent.toUpperCase(),
  `00-${"0".repeat(32)}-${spanId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  ` ${traceparent}`,
  `${traceparent}\nsecret`,
])("%j is ignored", (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

test("without an SDK a trace passes through a process unchanged, and nothing makes one up", async () => {
  const through = (origins: readonly string[]) =>
    inSpan("send", { kind: SpanKind.PRODUCER, origins, attributes: {} }, async (span) => traceparentOf(span));
  expect(await through([traceparent])).toBe(traceparent);
  expect(await through([])).toBeUndefined();
  expect(await through(["nonsense"])).toBeUndefined();
  const other = traceparent.replace("0af", "1af");
  expect(await through([traceparent, other])).toBeUndefined();
});

test("origins are distinct and bounded", () => {
  const origin = (n: number) => `00-${traceId}-${n.toString(16).padStart(16, "0")}-01`;
  const envelopes = Array.from({ length: 1_000 }, (_, n) => ({ ...upsert("a", n), trace: origin(n >> 1) }));
  expect(originsOf([...envelopes.slice(0, 4), upsert("b", 1)])).toEqual([origin(0), origin(1)]);
  expect(originsOf(envelopes)).toHaveLength(spanLinksMax);
});
