/** A message to be sent; its partition follows from its key as in Kafka's own clients (murmur2). */
export interface NewMessage {
  readonly key: Uint8Array | string | null;
  /** Null: a tombstone. */
  readonly value: Uint8Array | string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The same bytes, without a copy; a text as UTF-8. */
export function bufferOf(content: Uint8Array | string): Buffer;
export function bufferOf(content: Uint8Array | string | null): Buffer | null;
export function bufferOf(content: Uint8Array | string | null): Buffer | null {
  if (content === null || Buffer.isBuffer(content)) return content;
  if (typeof content === "string") return Buffer.from(content);
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
}
