import {
  type Collection,
  isObject,
  type Lane,
  MedleyError,
  opKey,
  type RecordEnvelope,
  type Transport,
} from "@medley/core";
import {
  checkInputs,
  collectionNamed,
  type Input,
  inSpan,
  type ProducePorts,
  type Rejection,
  send,
  traceparentOf,
} from "@medley/pipeline";
import { SpanKind } from "@opentelemetry/api";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Body } from "../body/body.ts";
import { type RecordItem, recordItems } from "../body/record-items.ts";
import { RoomEstimate } from "../retry-after.ts";
import type { Routes } from "../server.ts";

export interface RecordsPorts extends ProducePorts {
  readonly lanes: Readonly<Record<Lane, Pick<Transport, "unit" | "send" | "backlog" | "oldestAgeMs">>>;
}

/** What became of the records of a request. */
export interface RecordsAnswer {
  /** Durable in the queue. */
  readonly accepted: number;
  /**
   * Refused for what they hold; or, with the code of a passing error, not known to be durable, since the queue failed
   * after it had taken the others. Sending those again, or all, is harmless.
   */
  readonly rejected: readonly (Rejection & { readonly line?: number })[];
}

/**
 * `POST /v1/collections/:name/records` (one object, a list, or NDJSON; `_op: "delete"` deletes) and
 * `DELETE /v1/collections/:name/records/:id` (`?version=` where the collection's versions are the user's). Answers
 * `RecordsAnswer` once the valid records are durable: 202 all accepted, 207 some, 422 none. Where nothing is durable
 * for a passing reason: 429 or 503 with `retry-after`. `POST /v1/collections/:name/events` takes events of users alike, each
 * `{ user, item, kind, at?, id? }`. Records belong to the trace that `traceparent` names.
 */
export function recordsRoutes(ports: RecordsPorts): Routes {
  const { counters, backlogPacketsMax } = ports;
  const room = new RoomEstimate({ lane: ports.lanes.stream, counters, backlogPacketsMax });
  const answer = async (
    request: FastifyRequest,
    reply: FastifyReply,
    itemsOf: (collection: Collection) => readonly RecordItem[],
  ) => {
    const { name } = request.params as { name: string };
    const collection = collectionNamed(ports.collections, name);
    const items = itemsOf(collection);
    const { answer: body, failure } = await produce(ports, collection, items, request).catch(
      async (error) => {
        if (isOverloaded(error)) reply.header("retry-after", await room.seconds());
        throw error;
      },
    );
    if (failure !== null) reply.header("retry-after", await room.seconds());
    const status = body.rejected.length === 0 ? 202 : body.accepted === 0 ? 422 : 207;
    return reply.code(status).send(body);
  };
  return (app) => {
    const config = { scope: "ingest" } as const;
    app.post<{ Body: Body | undefined }>("/v1/collections/:name/records", { config }, (request, reply) =>
      answer(request, reply, () => recordItems(request.body)),
    );
    app.post<{ Body: Body | undefined }>("/v1/collections/:name/events", { config }, (request, reply) =>
      answer(request, reply, () => recordItems(request.body).map(asEvent)),
    );
    app.delete<{ Params: { name: string; id: string }; Querystring: { version?: string } }>(
      "/v1/collections/:name/records/:id",
      { config },
      (request, reply) =>
        answer(request, reply, ({ idKey, versionKey }) => {
          const versioned = versionKey === null ? {} : { [versionKey]: request.query.version };
          const value = { ...versioned, [idKey]: request.params.id, [opKey]: "delete" };
          return [{ ok: true, index: 0, line: null, value }];
        }),
    );
  };
}

function asEvent(item: RecordItem): RecordItem {
  return item.ok && isObject(item.value) ? { ...item, value: { ...item.value, [opKey]: "event" } } : item;
}

interface Produced {
  readonly answer: RecordsAnswer;
  /** What kept the queue from taking all of them. */
  readonly failure: MedleyError | null;
}

/** Rejects where not one record is known to be durable. */
function produce(
  ports: RecordsPorts,
  collection: Collection,
  items: readonly RecordItem[],
  request: FastifyRequest,
): Promise<Produced> {
  const { traceparent } = request.headers;
  const span = {
    kind: SpanKind.SERVER,
    origins: typeof traceparent === "string" ? [traceparent] : [],
    attributes: { "medley.collection": collection.name, "medley.records": items.length },
  };
  return inSpan("ingest", span, async (ingest) => {
    const readable = items.filter((item) => item.ok);
    const trace = traceparentOf(ingest);
    const inputs = readable.map(
      ({ value, line, index }): Input => ({ value, source: `http:${line ?? index}`, textual: false, trace }),
    );
    const checked = checkInputs(ports, collection, inputs);
    const { durable, failure } = await sendAll(ports, collection, checked.envelopes);
    const malformed = items
      .filter((item) => !item.ok)
      .map((item) => rejectionAt(item, { id: null, code: "body_malformed", message: item.message }));
    const invalid = checked.rejected.map((rejection) =>
      rejectionAt(readable[rejection.index] as RecordItem, rejection),
    );
    const unfit = new Set(checked.rejected.map(({ index }) => index));
    const sent = readable.filter((_, index) => !unfit.has(index));
    const unsent = checked.envelopes.slice(durable).map(({ id }, at) =>
      rejectionAt(sent[durable + at] as RecordItem, {
        id,
        code: (failure as MedleyError).code,
        message: "not known to be durable: send it again",
      }),
    );
    const rejected = [...malformed, ...invalid, ...unsent].sort((a, b) => a.index - b.index);
    return { answer: { accepted: durable, rejected }, failure };
  });
}

/** Rejects where nothing is known to be durable. */
async function sendAll(
  ports: RecordsPorts,
  collection: Collection,
  envelopes: readonly RecordEnvelope[],
): Promise<{ durable: number; failure: MedleyError | null }> {
  let durable = 0;
  if (envelopes.length === 0) return { durable, failure: null };
  const count = (sent: number) => {
    durable += sent;
  };
  try {
    await send(ports, collection, envelopes, null, count);
    return { durable, failure: null };
  } catch (error) {
    if (durable === 0 || !(error instanceof MedleyError && error.retryable)) throw error;
    return { durable, failure: error };
  }
}

function isOverloaded(error: unknown): boolean {
  return error instanceof MedleyError && error.code === "overloaded";
}

function rejectionAt({ index, line }: RecordItem, { id, code, message }: Omit<Rejection, "index">) {
  return { index, ...(line === null ? {} : { line }), id, code, message };
}
