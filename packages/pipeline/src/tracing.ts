import { MedleyError, type RecordEnvelope } from "@medley/core";
import {
  type Attributes,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";

export interface SpanOptions {
  readonly kind: SpanKind;
  /** W3C `traceparent`s of what the span works on, as `originsOf` gives them. */
  readonly origins: readonly string[];
  /** Names from the configuration, counts and codes; never what a record holds. */
  readonly attributes: Attributes;
}

/** As many as OpenTelemetry's own default allows a span. */
export const spanLinksMax = 128;

/** The distinct origins of a packet's records, at most `spanLinksMax` of them. */
export function originsOf(envelopes: readonly RecordEnvelope[]): readonly string[] {
  const origins = new Set<string>();
  for (const { trace: origin } of envelopes) {
    if (origin !== undefined) origins.add(origin);
    if (origins.size === spanLinksMax) break;
  }
  return [...origins];
}

/**
 * Runs `run` in a span: a child of its origin where there is exactly one; of several it is the root of a trace of its own,
 * linked to each, as OpenTelemetry's conventions for batches have it. Contexts are passed on by hand: a packet's records
 * come from many requests, so there is no ambient one. Without an SDK in the process nothing is recorded, and the span's
 * context is its only origin's, so that a trace passes through.
 */
export async function inSpan<Value>(
  name: string,
  { kind, origins, attributes }: SpanOptions,
  run: (span: Span) => Promise<Value>,
): Promise<Value> {
  const contexts = origins.map(parseTraceparent).filter((context) => context !== undefined);
  const [only] = contexts;
  const isChild = only !== undefined && contexts.length === 1;
  const parent = isChild ? trace.setSpanContext(ROOT_CONTEXT, only) : ROOT_CONTEXT;
  const links = isChild ? [] : contexts.map((context) => ({ context }));
  const span = trace.getTracer("medley").startSpan(name, { kind, attributes, links }, parent);
  try {
    return await run(span);
  } catch (error) {
    // The message of an unknown error may hold a record's content.
    const message = error instanceof MedleyError ? error.code : "internal";
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    throw error;
  } finally {
    span.end();
  }
}

/** The span's context as a `traceparent`; undefined where it has none, since nothing is recorded and nothing came in. */
export function traceparentOf(span: Span): string | undefined {
  const context = span.spanContext();
  if (!isSpanContextValid(context)) return undefined;
  const flags = context.traceFlags & TraceFlags.SAMPLED ? "01" : "00";
  return `00-${context.traceId}-${context.spanId}-${flags}`;
}

/** By W3C Trace Context, section 3.2.2. Undefined for what it says to ignore. */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const parts = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text ?? "");
  if (parts === null) return undefined;
  const [, version, traceId, spanId, flags, more] = parts as unknown as [string, ...string[]];
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  const traceFlags = Number.parseInt(flags as string, 16) & TraceFlags.SAMPLED;
  const context = { traceId: traceId as string, spanId: spanId as string, traceFlags, isRemote: true };
  return isSpanContextValid(context) ? context : undefined;
}
