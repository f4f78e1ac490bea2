import type { Channel } from "@medley/core";
import type { Queue, Worker } from "bullmq";

/** A channel's queue (what is put and counted) and its worker (what is taken); BullMQ's own loop never runs. */
export interface BullmqLane {
  readonly queue: Queue;
  readonly worker: Worker;
}

export interface BackendEvents {
  /** A channel may have a packet to take; null: any may. */
  onArrival(channel: Channel | null): void;
  onFault(error: unknown): void;
}

/** What BullMQ's databases differ in. */
export interface BullmqBackend {
  /** For messages: `the queue in Postgres`. */
  readonly name: string;
  openLane(channel: Channel): BullmqLane;
  /** Called once, when the lanes are ready to be used. */
  listen(events: BackendEvents): Promise<void>;
  /** Throws `MedleyError` `overloaded` where a packet more would leave too little room to work on those that are there. */
  admit(channel: Channel): Promise<void>;
  /** A look at the queue is over; where nothing was found, the next arrival is to be told. */
  onTaken(channel: Channel, found: boolean): void;
  /** A packet left the queue for good. */
  onRemoved(): Promise<void>;
  /** A failure as it should be told. */
  faultOf(error: unknown): unknown;
  /** After the lanes were closed, which leaves the connections open. */
  close(): Promise<void>;
}

export function queueNameOf(channel: Channel): string {
  return `medley-${channel}`;
}

/** Of BullMQ's own log of events, which nobody reads. */
export const eventsMax = 1_000;

/** A lease that ran out is seen by two of BullMQ's passes: marked by one, taken back by the next. */
const stalledChecksPerLease = 3;

export function workerOptions(leaseMs: number) {
  return {
    autorun: false,
    lockDuration: leaseMs,
    stalledInterval: Math.ceil(leaseMs / stalledChecksPerLease),
    // Postgres' largest integer: never.
    maxStalledCount: 2 ** 31 - 1,
  };
}
