import { fail, isObject, type Result, succeed, type TopicMessage } from "@medley/core";
import { splitSchema } from "./connect-schema.ts";
import { jsonOf } from "./json-value.ts";
import type { MessageProblem } from "./message-problem.ts";
import type { MessageContent } from "./read-message.ts";

const attributePrefix = "ce_";
const requiredAttributes = ["specversion", "id", "source", "type"];

/**
 * CloudEvents 1.0 in Kafka messages (the specification's kafka-protocol-binding.md). Binary: attributes are headers `ce_NAME`, the
 * value is the data. Structured: the value is the event as JSON, with `data` or `data_base64`. No value and no attributes: a delete.
 */
export function readCloudEvent(message: TopicMessage): Result<MessageContent, MessageProblem> {
  const contentType = contentTypeOf(message.headers);
  if (contentType?.startsWith("application/cloudevents")) {
    return contentType.startsWith("application/cloudevents+json")
      ? readStructured(message)
      : refuse(
          `the event is written as ${mediaType(contentType)}; only application/cloudevents+json is read`,
        );
  }
  const event = attributesOf(message.headers);
  if (Object.keys(event).length > 0) return readBinary(message, event, contentType);
  return message.value === null
    ? succeed({ op: "delete", record: { value: null, schema: null } })
    : readStructured(message);
}

const refuse = (reason: string) => fail({ code: "record_invalid" as const, reason });

function readBinary(
  { value }: TopicMessage,
  event: Record<string, unknown>,
  contentType: string | undefined,
): Result<MessageContent, MessageProblem> {
  return withData({ ...event, datacontenttype: contentType }, () =>
    value === null || value.length === 0 ? succeed(null) : jsonOf(value, "the event's data"),
  );
}

function readStructured({ value }: TopicMessage): Result<MessageContent, MessageProblem> {
  if (value === null)
    return refuse("the message has no value, though its content-type says that it is an event");
  const parsed = jsonOf(value, "the event");
  if (!parsed.ok) return parsed;
  if (!isObject(parsed.value)) return refuse("the message is no CloudEvent: its value is no JSON object");
  const { data = null, data_base64: base64, ...event } = parsed.value;
  return withData(event, () =>
    typeof base64 === "string"
      ? jsonOf(Buffer.from(base64, "base64"), "the event's data_base64")
      : succeed(data),
  );
}

function withData(
  event: Record<string, unknown>,
  read: () => Result<unknown, MessageProblem>,
): Result<MessageContent, MessageProblem> {
  const missing = requiredAttributes.filter((name) => typeof event[name] !== "string" || event[name] === "");
  if (missing.length > 0) return refuse(`the message is no CloudEvent: it has no ${missing.join(", ")}`);
  const { datacontenttype } = event;
  if (typeof datacontenttype === "string" && !/^[^;]*[/+]json\s*(;|$)/i.test(datacontenttype)) {
    return refuse(`the event's data is ${mediaType(datacontenttype)}; only JSON is read`);
  }
  const data = read();
  return data.ok ? succeed({ op: "upsert", record: splitSchema(data.value), event }) : data;
}

function attributesOf(headers: TopicMessage["headers"]): Record<string, unknown> {
  const attributes = Object.entries(headers).filter(([name]) => name.startsWith(attributePrefix));
  return Object.fromEntries(attributes.map(([name, value]) => [name.slice(attributePrefix.length), value]));
}

function contentTypeOf(headers: TopicMessage["headers"]): string | undefined {
  const name = Object.keys(headers).find((one) => one.toLowerCase() === "content-type");
  return name === undefined ? undefined : headers[name];
}

function mediaType(contentType: string): string {
  return (contentType.split(";")[0] ?? "").trim().slice(0, 60);
}
