import { strict as assert } from "node:assert";
import {
  type Channel,
  type Consumer,
  type Delivery,
  type Packet,
  type RecordEnvelope,
  type Transport,
  type VectorEnvelope,
  version,
} from "@medley/core";

/** A queueing system to be tested, with the accidents it can have. */
export interface QueueUnderTest {
  /** Opens the queue as another process would: several may be open at once. */
  open(): Promise<Transport>;
  /** Takes all packets away. */
  empty(): Promise<void>;
  /** A process that takes one packet and holds it until it is killed; resolves when it has it. */
  startHolder?(): Promise<{ kill(): Promise<void> }>;
  /** Opens through a line that can be cut and mended. */
  openOverLine?(): Promise<{ transport: Transport; cut(): Promise<void>; mend(): Promise<void> }>;
  stop(): Promise<void>;
}

export interface Bench {
  /** What the queue counts in, and whether it is a log. */
  readonly unit: Transport["unit"];
  queue(): QueueUnderTest;
  open(): Promise<Transport>;
  /** Closes it after the test. */
  keep(transport: Transport): Transport;
  /** Of records of the ids `record-0` and so on; a log takes no chunks. */
  packetOf(collection: string, size?: PacketSize): Packet<VectorEnvelope>;
}

export interface PacketSize {
  readonly vectors?: number;
  readonly textChars?: number;
}

export interface Inbox<C extends Channel> {
  readonly deliveries: Delivery<C>[];
  readonly consumer: Consumer;
  /** Until so many deliveries have begun. */
  count(deliveries: number, timeoutMs?: number): Promise<void>;
}

export async function inbox<C extends Channel>(
  transport: Transport,
  channel: C,
  options: {
    receive?: (delivery: Delivery<C>, signal: AbortSignal) => Promise<void>;
    packetsInFlightMax?: number;
  } = {},
): Promise<Inbox<C>> {
  const deliveries: Delivery<C>[] = [];
  const consumer = await transport.consume(
    channel,
    async (delivery, signal) => {
      deliveries.push(delivery);
      await options.receive?.(delivery, signal);
    },
    { packetsInFlightMax: options.packetsInFlightMax ?? 4 },
  );
  const count = (expected: number, timeoutMs?: number) =>
    until(() => deliveries.length >= expected, timeoutMs);
  return { deliveries, consumer, count };
}

/** Of all deliveries, by id: a log may deliver a packet's records apart. */
export function envelopesOf<C extends Channel>(deliveries: readonly Delivery<C>[]) {
  const envelopes = deliveries.flatMap(({ packet }): readonly RecordEnvelope[] => packet.envelopes);
  return envelopes.sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
}

export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const endsAtMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    assert(performance.now() < endsAtMs, "what was waited for did not come");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function packetOf(
  collection: string,
  { vectors = 1, textChars = 10 }: PacketSize = {},
): Packet<VectorEnvelope> {
  const envelopes = Array.from({ length: vectors }, (_, index) => ({
    id: `record-${index}`,
    version: version(2n ** 62n + BigInt(index)),
    op: "upsert" as const,
    fields: { text: `\u0000"\\é🎬 ${index} `.repeat(Math.ceil(textChars / 10)), year: null },
    source: "films.csv:17",
    vector: Float16Array.from({ length: 400 }, (_, dimension) => Math.sin(index + dimension)),
    segmentHashes: Uint8Array.from({ length: 32 }, (_, byte) => byte + index),
  }));
  return {
    collection,
    envelopes,
    chunk: { runId: "run", chunk: 0, settled: { indexed: 0, tombstoned: 0, superseded: 0, deadLetters: 0 } },
  };
}
