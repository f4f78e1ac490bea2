import { type Collection, opKey } from "@medley/core";
import {
  checkInputs,
  collectionNamed,
  type Input,
  type ProducePorts,
  type Rejection,
  send,
} from "@medley/pipeline";
import type { FastifyReply } from "fastify";
import type { Body } from "../body/body.ts";
import { type RecordItem, recordItems } from "../body/record-items.ts";
import type { Routes } from "../server.ts";

/** What became of the records of a request. */
export interface RecordsAnswer {
  /** Durable in the queue. */
  readonly accepted: number;
  readonly rejected: readonly (Rejection & { readonly line?: number })[];
}

/**
 * `POST /v1/collections/:name/records` (one object, a list, or NDJSON; `_op: "delete"` deletes) and
 * `DELETE /v1/collections/:name/records/:id` (`?version=` where the collection's versions are the user's). Answers
 * `RecordsAnswer` once the valid records are durable: 202 all accepted, 207 some, 422 none.
 */
export function recordsRoutes(ports: ProducePorts): Routes {
  return (app) => {
    app.post<{ Params: { name: string }; Body: Body | undefined }>(
      "/v1/collections/:name/records",
      async (request, reply) => {
        const collection = collectionNamed(ports.collections, request.params.name);
        const answer = await produce(ports, collection, recordItems(request.body));
        return replyAnswer(reply, answer);
      },
    );
    app.delete<{ Params: { name: string; id: string }; Querystring: { version?: string } }>(
      "/v1/collections/:name/records/:id",
      async (request, reply) => {
        const collection = collectionNamed(ports.collections, request.params.name);
        const { idKey, versionKey } = collection;
        const versioned = versionKey === null ? {} : { [versionKey]: request.query.version };
        const value = { ...versioned, [idKey]: request.params.id, [opKey]: "delete" };
        const answer = await produce(ports, collection, [{ ok: true, index: 0, line: null, value }]);
        return replyAnswer(reply, answer);
      },
    );
  };
}

async function produce(
  ports: ProducePorts,
  collection: Collection,
  items: readonly RecordItem[],
): Promise<RecordsAnswer> {
  const readable = items.filter((item) => item.ok);
  const inputs = readable.map(
    ({ value, line, index }): Input => ({ value, source: `http:${line ?? index}`, textual: false }),
  );
  const checked = checkInputs(ports, collection, inputs);
  if (checked.envelopes.length > 0) await send(ports, collection, checked.envelopes);
  const malformed = items
    .filter((item) => !item.ok)
    .map((item) => rejectionAt(item, { id: null, code: "body_malformed", message: item.message }));
  const invalid = checked.rejected.map((rejection) =>
    rejectionAt(readable[rejection.index] as RecordItem, rejection),
  );
  const rejected = [...malformed, ...invalid].sort((a, b) => a.index - b.index);
  return { accepted: checked.envelopes.length, rejected };
}

function rejectionAt({ index, line }: RecordItem, { id, code, message }: Omit<Rejection, "index">) {
  return { index, ...(line === null ? {} : { line }), id, code, message };
}

function replyAnswer(reply: FastifyReply, answer: RecordsAnswer): FastifyReply {
  const status = answer.rejected.length === 0 ? 202 : answer.accepted === 0 ? 422 : 207;
  return reply.code(status).send(answer);
}
