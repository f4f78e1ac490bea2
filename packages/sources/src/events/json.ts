import { type Result, succeed, type TopicMessage } from "@medley/core";
import { splitSchema } from "./connect-schema.ts";
import { jsonOf } from "./json-value.ts";
import type { MessageProblem } from "./message-problem.ts";
import type { MessageContent } from "./read-message.ts";

/** Plain JSON: the value is the record, also inside Kafka Connect's `{"schema": …, "payload": …}`; no value is a delete. */
export function readJson(message: TopicMessage): Result<MessageContent, MessageProblem> {
  if (message.value === null) return succeed({ op: "delete", record: { value: null, schema: null } });
  const parsed = jsonOf(message.value, "the message's value");
  return parsed.ok ? succeed({ op: "upsert", record: splitSchema(parsed.value) }) : parsed;
}
