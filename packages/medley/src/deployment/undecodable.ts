import { type Channel, type DeadLetter, messageName, type TopicMessage } from "@medley/core";

const stageOf = { records: "embed", vectors: "index" } as const;

/** A message of a lane's topic that is none of Medley's as a dead letter, whole; of its key is taken what looks like ours. */
export function deadLetterOfMessage(channel: Channel, message: TopicMessage): DeadLetter {
  const { key, value } = message;
  const [collection = "", ...id] = key === null ? [] : Buffer.from(key).toString().split("/");
  return {
    collection: collection || "unknown",
    recordId: id.length > 0 ? id.join("/") : null,
    version: null,
    stage: stageOf[channel],
    code: "body_malformed",
    reason: "the message is no packet of Medley's: find out what else writes to this topic",
    payload: value ?? new Uint8Array(),
    source: messageName(message),
    runId: null,
    attempt: 1,
    trace: null,
  };
}
