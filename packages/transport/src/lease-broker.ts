import type { Backlog, Channel, ChannelPackets } from "@medley/core";

/** A packet in the hands of one consumer, until it is acknowledged or given back, or its time runs out. */
export interface Lease<C extends Channel = Channel> {
  /** 1 for the first time the packet is taken; more each time after. */
  readonly attempt: number;
  /** Throws `MedleyError` `data_too_new` or `body_malformed`. */
  readPacket(): Promise<ChannelPackets[C]>;
  /** For whoever looks at the queue; nothing depends on it. */
  report?(progress: { done: number; of: number }): Promise<void>;
  /** The packet leaves the queue. Rejects where the lease was lost. */
  acknowledge(): Promise<void>;
  /** The packet can be taken again after `delayMs`. Rejects where the lease was lost. */
  giveBack(delayMs: number): Promise<void>;
}

/**
 * What a queueing system must do to carry packets: everything else (concurrency, backoff, renewal, draining) is
 * `LeaseTransport`'s. A lease not renewed within `leaseMs` is lost and its packet taken again by whoever asks.
 */
export interface LeaseBroker {
  /** For messages: `the queue in Postgres`. */
  readonly name: string;
  readonly leaseMs: number;
  /** Resolves when the packet is durable. A packet of the same channel and key still in the queue is not added twice. */
  put<C extends Channel>(channel: C, packet: ChannelPackets[C], key: string | null): Promise<void>;
  /** Null where no packet is due. */
  take<C extends Channel>(channel: C): Promise<Lease<C> | null>;
  /** Returns the leases that were lost. */
  renew<C extends Channel>(channel: C, leases: readonly Lease<C>[]): Promise<readonly Lease<C>[]>;
  backlog(channel: Channel): Promise<Backlog>;
  /** As `Transport.oldestAgeMs`. */
  oldestAgeMs(channel: Channel): Promise<number>;
  /** `onArrival` is called when a channel may have a packet to take; calls may be missed, so consumers also poll. */
  subscribe(onArrival: (channel: Channel) => void): void;
  close(): Promise<void>;
}
