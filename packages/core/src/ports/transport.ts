import type { Packet, RecordEnvelope, VectorEnvelope } from "../envelope.ts";

/** The two hops of a record: producer to embedding-worker, embedding-worker to indexer. */
export interface ChannelPackets {
  records: Packet<RecordEnvelope>;
  vectors: Packet<VectorEnvelope>;
}
export type Channel = keyof ChannelPackets;
export const channels = ["records", "vectors"] as const satisfies readonly Channel[];

export interface Delivery<C extends Channel> {
  readonly packet: ChannelPackets[C];
  /** 1 for the first try; more after a failure or the death of a consumer. */
  readonly attempt: number;
  /**
   * Tells whoever looks at the queue how many of the packet's records are done; absent where a transport has no place for
   * it. May be called for every record: most calls are not passed on. Never fails.
   */
  report?(done: number): void;
}

/**
 * Resolves when the packet's effects are durable: only then is it acknowledged. A rejection means: deliver again later. The
 * signal aborts when the packet is no longer this consumer's; what comes of it then is not acknowledged, and should not go on.
 */
export type Receive<C extends Channel> = (delivery: Delivery<C>, signal: AbortSignal) => Promise<void>;

export interface Consumer {
  /** Takes nothing new, waits for packets in hand, then resolves. What is still in hand after `graceMs` is given back. */
  close(options: { graceMs: number }): Promise<void>;
}

/** Counted in the transport's `unit`. */
export interface Backlog {
  /** Not yet taken, also those waiting for their next try; of a log, also those in the hands of other processes. */
  readonly waiting: number;
  /** In the hands of consumers; of a log, of this process's. */
  readonly inFlight: number;
}

/**
 * Carries packets between stages, at least once: `send` resolves when the packet is durable, and it is delivered until
 * a receiver resolves. Faults of the queue itself throw `MedleyError` `transport_unavailable`.
 *
 * A queue (`unit` "packets") delivers a packet as it was sent. A log ("records") keeps each envelope by itself, keyed by
 * collection and id, so it may deliver those of a packet apart and those of several packets of a collection together; it takes
 * no chunks and no keys, which are a queue's.
 */
export interface Transport {
  readonly unit: "packets" | "records";
  /** `key`: a packet of the same channel and key still in the queue is not added twice. */
  send<C extends Channel>(channel: C, packet: ChannelPackets[C], options?: { key?: string }): Promise<void>;
  consume<C extends Channel>(
    channel: C,
    receive: Receive<C>,
    options: { packetsInFlightMax: number },
  ): Promise<Consumer>;
  /** Exact; with `ageMsMax` it may be as it was so long ago, which spares a log's brokers a question. */
  backlog(channel: Channel, options?: { ageMsMax: number }): Promise<Backlog>;
  /**
   * Milliseconds since the oldest packet was sent that is not yet acknowledged: the lag in time. 0 where there is none, null
   * where this process can't know it (a log's consumers know it of their own partitions).
   */
  oldestAgeMs(channel: Channel): Promise<number | null>;
  close(): Promise<void>;
}

/** Unbounded sources (HTTP, topics, changes of a table) take the stream, bounded ones (files, tables) the backfill. */
export const lanes = ["stream", "backfill"] as const;
export type Lane = (typeof lanes)[number];
/** A transport for each lane; where one serves both it is the same object. */
export type Lanes = Readonly<Record<Lane, Transport>>;
