import { fail, isObject, type Result, succeed, type TopicMessage } from "@medley/core";
import { schemaWithin, splitSchema, type WithSchema } from "./connect-schema.ts";
import { jsonOf } from "./json-value.ts";
import type { MessageProblem } from "./message-problem.ts";
import type { MessageContent } from "./read-message.ts";

/**
 * Debezium's change events, with or without their schema:
 *
 * - the envelope `{"op", "before", "after", "source", "ts_ms"}`: `c`reate, `u`pdate and `r`ead (snapshot) bring `after`,
 *   `d`elete brings none; of `before` a delete's id may be read, nothing else;
 * - the row alone, as `ExtractNewRecordState` leaves it, with the metadata it adds: `__deleted`, `__op`, `__lsn`,
 *   `__source_ts_ms`;
 * - no value: a delete, the tombstone that follows one.
 *
 * Source: https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-change-events-value and
 * .../transformations/event-flattening.html.
 */
export function readDebezium(message: TopicMessage): Result<MessageContent, MessageProblem> {
  if (message.value === null) return succeed({ op: "delete", record: { value: null, schema: null } });
  const parsed = jsonOf(message.value, "the message's value");
  if (!parsed.ok) return parsed;
  const event = splitSchema(parsed.value);
  if (!isObject(event.value)) return refuse("the message's value is no change event: it is no JSON object");
  return isEnvelope(event.value) ? readEnvelope(event, event.value) : readRow(event, event.value);
}

const refuse = (reason: string) => fail({ code: "record_invalid" as const, reason });

function isEnvelope(value: Record<string, unknown>): boolean {
  return typeof value.op === "string" && value.op.length === 1 && isObject(value.source);
}

function readEnvelope(
  { schema }: WithSchema,
  envelope: Record<string, unknown>,
): Result<MessageContent, MessageProblem> {
  const source = envelope.source as Record<string, unknown>;
  const side = (name: "before" | "after"): WithSchema => ({
    value: envelope[name] ?? null,
    schema: schemaWithin(schema, name),
  });
  switch (envelope.op) {
    case "c":
    case "u":
    case "r":
      return isObject(envelope.after)
        ? succeed({ op: "upsert", record: side("after"), source })
        : refuse(`the change event of op "${envelope.op}" has no "after"`);
    case "d":
      return succeed({ op: "delete", record: side("before"), source });
    case "t":
      return refuse(
        "the table was emptied (op t, TRUNCATE), and the event names no rows; delete them from the collection, or let the connector skip it: skipped.operations=t",
      );
    case "m":
      return refuse("it is a message written to the database's log (op m), no change of a row");
    default:
      return refuse("the change event has an op that is none of c, u, r, d, t, m");
  }
}

const addedPrefix = "__";

function readRow(event: WithSchema, row: Record<string, unknown>): Result<MessageContent, MessageProblem> {
  const isDeleted = row.__deleted === true || row.__deleted === "true" || row.__op === "d";
  return succeed({ op: isDeleted ? "delete" : "upsert", record: event, source: addedSource(row) });
}

/** The source block as far as it was added to the row: `__lsn` and `__source_lsn` are its `lsn`. */
function addedSource(row: Record<string, unknown>): Record<string, unknown> {
  const added = Object.entries(row).filter(([name]) => name.startsWith(addedPrefix));
  const plain = added.map(([name, value]) => [name.slice(addedPrefix.length), value] as const);
  const fromSource = plain.filter(([name]) => name.startsWith("source_"));
  return Object.fromEntries([
    // Without `source_` it is when the connector worked on it, not when it happened.
    ...plain.filter(([name]) => !name.startsWith("source_") && !/^ts_(ms|us|ns)$/.test(name)),
    ...fromSource.map(([name, value]) => [name.slice("source_".length), value] as const),
  ]);
}
