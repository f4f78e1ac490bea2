import { isObject, type TopicMessage } from "@medley/core";

/**
 * A message that became no record, whole, as the payload of its dead letter: once the configuration or the mapping is mended it is
 * mapped again, with the key, headers and timestamp it had. JSON; bytes that are no UTF-8 are kept as base64.
 */
export function keepMessage(message: TopicMessage): Uint8Array {
  const { topic, partition, offset, timestampMs, headers, key, value } = message;
  const kept = {
    kept: mark,
    topic,
    partition,
    offset: offset.toString(),
    timestampMs,
    headers,
    key: keepBytes(key),
    value: keepBytes(value),
  };
  return Buffer.from(JSON.stringify(kept));
}

const mark = "message/1";

/** Null where the payload is none that `keepMessage` wrote. */
export function keptMessage(payload: Uint8Array): TopicMessage | null {
  try {
    const kept: unknown = JSON.parse(Buffer.from(payload).toString("utf8"));
    if (!isObject(kept) || kept.kept !== mark) return null;
    const { topic, partition, offset, timestampMs, headers, key, value } = kept as unknown as KeptFields;
    const place = { topic, partition, offset: BigInt(offset), timestampMs };
    return { ...place, headers, key: bytesOf(key), value: bytesOf(value) };
  } catch {
    // A line of a file may look like anything.
    return null;
  }
}

type KeptBytes = { readonly text: string } | { readonly base64: string } | null;
type KeptFields = Pick<TopicMessage, "topic" | "partition" | "timestampMs" | "headers"> & {
  readonly offset: string;
  readonly key: KeptBytes;
  readonly value: KeptBytes;
};

function keepBytes(bytes: Uint8Array | null): KeptBytes {
  if (bytes === null) return null;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  return Buffer.from(text).equals(buffer) ? { text } : { base64: buffer.toString("base64") };
}

function bytesOf(kept: KeptBytes): Uint8Array | null {
  if (kept === null) return null;
  return "text" in kept ? Buffer.from(kept.text) : Buffer.from(kept.base64, "base64");
}
