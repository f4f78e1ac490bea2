import type { Collection, StoredDeadLetter } from "@medley/core";
import type { Input } from "@medley/pipeline";
import { keptMessage, mapMessage } from "@medley/sources";

/**
 * A dead letter that holds a topic's message, mapped as its source is configured now; as text why it is still no record, and null
 * where the letter holds no message. Throws nothing.
 */
export function replayedMessage(letter: StoredDeadLetter, collection: Collection): Input | string | null {
  const message = keptMessage(letter.payload);
  if (message === null) return null;
  const source = collection.sources.find((one) => one.kind === "topic" && one.topic === message.topic);
  if (source?.kind !== "topic") return `topic ${message.topic} is no source of ${collection.name} any more`;
  const { mapped } = mapMessage(source, collection, message, { nowMs: Date.now() });
  if (mapped.kind !== "record") return mapped.kind === "refused" ? mapped.reason : null;
  const version = mapped.version === null ? {} : { version: mapped.version };
  return { value: mapped.value, source: letter.source, textual: false, ...version };
}
