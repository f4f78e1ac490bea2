import { fail, isObject, type Result, type TopicFormat, type TopicMessage } from "@medley/core";
import { readCloudEvent } from "./cloudevents.ts";
import type { WithSchema } from "./connect-schema.ts";
import { splitSchema } from "./connect-schema.ts";
import { readDebezium } from "./debezium.ts";
import { readJson } from "./json.ts";
import { keyOf } from "./json-value.ts";
import type { PathRoots } from "./message-path.ts";
import type { MessageProblem } from "./message-problem.ts";

/** What a message says, before anything of a collection is looked at. */
export interface MessageContent {
  readonly op: "upsert" | "delete";
  /** Of a delete: what it brings of the record, if only its id; its value is null where it brings nothing. */
  readonly record: WithSchema;
  /** Attributes of a CloudEvent. */
  readonly event?: Readonly<Record<string, unknown>>;
  /** Debezium's source block. */
  readonly source?: Readonly<Record<string, unknown>>;
}

export interface ReadMessage {
  readonly op: "upsert" | "delete";
  readonly roots: PathRoots;
}

const readers = { json: readJson, cloudevents: readCloudEvent, debezium: readDebezium } satisfies Record<
  TopicFormat,
  (message: TopicMessage) => Result<MessageContent, MessageProblem>
>;

/** Takes a message apart as its format says. */
export function readMessage(format: TopicFormat, message: TopicMessage): Result<ReadMessage, MessageProblem> {
  const content = readers[format](message);
  if (!content.ok) return content;
  const { op, record, event = {}, source = {} } = content.value;
  if (record.value !== null && !isObject(record.value)) {
    return fail({ code: "record_invalid", reason: "the record in the message is no JSON object" });
  }
  const { topic, partition, offset, timestampMs } = message;
  const plain = (value: unknown): WithSchema => ({ value, schema: null });
  const place = { topic, partition, offset: offset.toString(), timestamp: timestampMs };
  return {
    ok: true,
    value: {
      op,
      roots: {
        record,
        $key: splitSchema(keyOf(message.key)),
        $header: plain(message.headers),
        $message: plain(place),
        $event: plain(event),
        $source: plain(source),
      },
    },
  };
}
