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
}

/** Resolves when the packet's effects are durable: only then is it acknowledged. A rejection means: deliver again later. */
export type Receive<C extends Channel> = (delivery: Delivery<C>, signal: AbortSignal) => Promise<void>;

export interface Consumer {
  /** Takes nothing new, waits for packets in hand, then resolves. What is still in hand after `graceMs` is given back. */
  close(options: { graceMs: number }): Promise<void>;
}

export interface Backlog {
  /** Packets not yet taken, also those waiting for their next try. */
  readonly waiting: number;
  /** Packets in the hands of consumers. */
  readonly inFlight: number;
}

/**
 * Carries packets between stages, at least once: `send` resolves when the packet is durable, and it is delivered until
 * a receiver resolves. Faults of the queue itself throw `MedleyError` `transport_unavailable`.
 */
export interface Transport {
  /** `key`: a packet of the same channel and key still in the queue is not added twice. */
  send<C extends Channel>(channel: C, packet: ChannelPackets[C], options?: { key?: string }): Promise<void>;
  consume<C extends Channel>(
    channel: C,
    receive: Receive<C>,
    options: { packetsInFlightMax: number },
  ): Promise<Consumer>;
  backlog(channel: Channel): Promise<Backlog>;
  close(): Promise<void>;
}
