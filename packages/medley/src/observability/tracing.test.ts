import { inSpan, spanLinksMax } from "@medley/pipeline";
import { SpanKind, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { afterAll, beforeEach, expect, test } from "vitest";
import { startTracing } from "./tracing.ts";

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
provider.register();
beforeEach(() => exporter.reset());
afterAll(async () => {
  await provider.shutdown();
  trace.disable();
});

const originOf = (n: number) => `00-${n.toString(16).padStart(32, "0")}-b7ad6b7169203331-01`;

async function spanOf(origins: readonly string[], run = async () => {}) {
  await inSpan("embed", { kind: SpanKind.CONSUMER, origins, attributes: {} }, run).catch(() => {});
  const [span] = exporter.getFinishedSpans();
  return span as NonNullable<typeof span>;
}

test("of one origin a span is the child", async () => {
  const span = await spanOf([originOf(1)]);
  expect([span.spanContext().traceId, span.parentSpanContext?.spanId, span.links]).toEqual([
    originOf(1).slice(3, 35),
    "b7ad6b7169203331",
    [],
  ]);
});

test("of several it is a trace of its own, linked to each, as many as there may be", async () => {
  const origins = Array.from({ length: spanLinksMax }, (_, n) => originOf(n + 1));
  const span = await spanOf([...origins, "nonsense"]);
  expect(span.parentSpanContext).toBeUndefined();
  expect(span.links.map(({ context }) => context.traceId)).toEqual(origins.map((one) => one.slice(3, 35)));
  expect(span.droppedLinksCount).toBe(0);
});

test("of none it is the root", async () => {
  const span = await spanOf([]);
  expect([span.parentSpanContext, span.links]).toEqual([undefined, []]);
});

test("an error is told by its code, never by its message", async () => {
  const span = await spanOf([], async () => {
    throw new Error("row (secret) is bad");
  });
  expect([span.status.message, span.events]).toEqual(["internal", []]);
});

test("without an endpoint, or switched off, nothing is started", async () => {
  const start = (environment: Record<string, string>) =>
    startTracing({ role: "indexer", environment, onFault: () => {} });
  expect(await start({})).toBeNull();
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" };
  expect(await start({ ...endpoint, OTEL_SDK_DISABLED: "true" })).toBeNull();
});
