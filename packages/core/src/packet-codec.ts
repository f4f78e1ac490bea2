import type { ChunkRef, Packet, RecordEnvelope, VectorEnvelope } from "./envelope.ts";
import { MedleyError } from "./errors.ts";
import type { RecordFields } from "./fields.ts";
import type { Channel, ChannelPackets } from "./ports/transport.ts";
import type { SpaceLabel } from "./space-label.ts";
import { version } from "./version.ts";

/**
 * Raised when a reader of the version before could not understand a packet. Readers accept this one and all before, so
 * services are updated one after the other; fields added within a version are optional.
 *
 * 2: a packet may hold events. 3: vectors may come with labels, and a row that was written without them would keep those of
 * its version before. 4: vectors may be laid out for a generation of rows after the first. A packet is written as the lowest that says all of it, so that only events, labels and
 * later generations wait for readers to be updated.
 */
export const packetSchemaVersion = 4;
const packetSchemaVersionMin = 1;

/** A packet as JSON: versions as decimal strings, vectors (float16, little-endian) and hashes as base64. */
interface EncodedPacket {
  readonly schemaVersion: number;
  readonly collection: string;
  readonly envelopes: readonly EncodedEnvelope[];
  readonly chunk: ChunkRef | null;
}

interface EncodedEnvelope {
  readonly id: string;
  readonly version: string;
  readonly op: RecordEnvelope["op"];
  readonly fields: RecordFields;
  readonly source: string;
  readonly acceptedAtMs?: number | undefined;
  readonly trace?: string | undefined;
  readonly vector?: string;
  readonly segmentHashes?: string;
  readonly labels?: Readonly<Record<string, SpaceLabel>> | undefined;
  readonly generation?: number | undefined;
}

export function encodePacket(packet: ChannelPackets[Channel]): string {
  const { collection, envelopes, chunk } = packet;
  return JSON.stringify({
    schemaVersion: schemaVersionOf(envelopes),
    collection,
    envelopes: envelopes.map(encodeEnvelope),
    chunk,
  } satisfies EncodedPacket);
}

function schemaVersionOf(envelopes: readonly (RecordEnvelope | VectorEnvelope)[]): number {
  if (envelopes.some((envelope) => "generation" in envelope)) return 4;
  if (envelopes.some((envelope) => "labels" in envelope)) return 3;
  return envelopes.some(({ op }) => op === "event") ? 2 : packetSchemaVersionMin;
}

function encodeEnvelope(envelope: RecordEnvelope | VectorEnvelope): EncodedEnvelope {
  const { id, op, fields, source, acceptedAtMs, trace } = envelope;
  // What is undefined leaves no key behind.
  const record = { id, version: envelope.version.toString(), op, fields, source, acceptedAtMs, trace };
  if (!("vector" in envelope)) return record;
  const { vector, segmentHashes, labels, generation } = envelope;
  return {
    ...record,
    vector: Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64"),
    segmentHashes: Buffer.from(segmentHashes).toString("base64"),
    labels,
    generation,
  };
}

/**
 * Throws `MedleyError` `data_too_new` for a packet of a later version (it must wait for an updated reader) and
 * `body_malformed` for text that is no packet of the channel.
 */
export function decodePacket<C extends Channel>(channel: C, text: string): ChannelPackets[C] {
  const packet = parsePacket(channel, text);
  const decode = channel === "vectors" ? decodeVectorEnvelope : decodeRecordEnvelope;
  try {
    const { collection, chunk } = packet;
    const decoded: Packet = { collection, envelopes: packet.envelopes.map(decode), chunk: chunk ?? null };
    return decoded as ChannelPackets[C];
  } catch (cause) {
    throw malformed(channel, cause);
  }
}

function parsePacket(channel: Channel, text: string): EncodedPacket {
  let packet: Partial<EncodedPacket> | null;
  try {
    packet = JSON.parse(text);
  } catch (cause) {
    throw malformed(channel, cause);
  }
  const schemaVersion = packet?.schemaVersion;
  if (!Number.isSafeInteger(schemaVersion)) throw malformed(channel);
  if ((schemaVersion as number) > packetSchemaVersion) {
    throw new MedleyError(
      "data_too_new",
      `a packet of channel ${channel} has schema version ${schemaVersion}; this process reads up to ${packetSchemaVersion}`,
      { mend: "update this service: until then the packet waits in the queue" },
    );
  }
  if ((schemaVersion as number) < packetSchemaVersionMin) throw malformed(channel);
  if (typeof packet?.collection !== "string" || !Array.isArray(packet.envelopes)) throw malformed(channel);
  return packet as EncodedPacket;
}

function decodeRecordEnvelope({
  id,
  version: versionText,
  op,
  fields,
  source,
  acceptedAtMs,
  trace,
}: EncodedEnvelope): RecordEnvelope {
  return {
    id,
    version: version(BigInt(versionText)),
    op,
    fields,
    source,
    ...(acceptedAtMs === undefined ? {} : { acceptedAtMs }),
    ...(trace === undefined ? {} : { trace }),
  };
}

function decodeVectorEnvelope(envelope: EncodedEnvelope): VectorEnvelope {
  const { labels, generation } = envelope;
  return {
    ...decodeRecordEnvelope(envelope),
    vector: new Float16Array(Uint8Array.from(Buffer.from(envelope.vector as string, "base64")).buffer),
    segmentHashes: Uint8Array.from(Buffer.from(envelope.segmentHashes as string, "base64")),
    ...(labels === undefined ? {} : { labels }),
    ...(generation === undefined ? {} : { generation }),
  };
}

function malformed(channel: Channel, cause?: unknown): MedleyError {
  return new MedleyError("body_malformed", `a packet of channel ${channel} can't be decoded`, {
    mend: "it was damaged or not written by Medley: find out what else writes to this queue",
    cause,
  });
}
