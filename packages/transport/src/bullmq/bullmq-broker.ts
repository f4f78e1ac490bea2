import { strict as assert } from "node:assert";
import { randomUUID } from "node:crypto";
import {
  type Backlog,
  type Channel,
  type ChannelPackets,
  channels,
  type MedleyError,
  type Transport,
} from "@medley/core";
import type { Lease, LeaseBroker } from "../lease-broker.ts";
import { faultOf } from "../lease-consumer.ts";
import { LeaseTransport } from "../lease-transport.ts";
import { packPacket, unpackPacket } from "../payload.ts";
import type { BullmqBackend, BullmqLane } from "./backend.ts";

export interface BullmqBrokerOptions {
  readonly backend: BullmqBackend;
  readonly leaseMs: number;
  readonly onFault: (fault: MedleyError) => void;
}

/** Opens a transport over a backend, which is closed with it, also where opening fails. */
export async function openBullmq(
  options: BullmqBrokerOptions & { readonly pollIntervalMs: number },
): Promise<Transport> {
  const { pollIntervalMs, onFault } = options;
  const broker = new BullmqBroker(options);
  try {
    await broker.ready();
  } catch (error) {
    await broker.close();
    throw error;
  }
  return new LeaseTransport({ broker, pollIntervalMs, onFault });
}

/**
 * Packets as BullMQ jobs, one queue per channel, fetched by hand: BullMQ's own loop asks an empty queue four questions at
 * a time, knows only Redis' faults and can't give back what it has in hand.
 *
 * BullMQ counts the attempts (`attemptsStarted`), keeps the leases (locks) and takes back those that ran out; leases are
 * timed by the clients' clocks, which must agree within a second or two. No job ever fails for BullMQ: there is no number of
 * attempts, nor of lost leases, after which a packet is given up.
 */
class BullmqBroker implements LeaseBroker {
  readonly name: string;
  readonly leaseMs: number;
  readonly #backend: BullmqBackend;
  readonly #onFault: (fault: MedleyError) => void;
  readonly #lanes: Readonly<Record<Channel, BullmqLane & { checksStalled: boolean }>>;
  readonly #pending = new Set<Promise<unknown>>();
  // The same error is emitted by everything that uses a connection.
  readonly #reported = new WeakSet<object>();
  #onArrival: (channel: Channel) => void = () => {};
  #closing = false;

  constructor({ backend, leaseMs, onFault }: BullmqBrokerOptions) {
    this.name = backend.name;
    this.leaseMs = leaseMs;
    this.#backend = backend;
    this.#onFault = onFault;
    this.#lanes = { records: this.#openLane("records"), vectors: this.#openLane("vectors") };
  }

  async ready(): Promise<void> {
    for (const part of this.#parts()) await part.waitUntilReady();
    await this.#backend.listen({
      onArrival: (channel) => {
        for (const one of channel === null ? channels : [channel]) this.#onArrival(one);
      },
      onFault: (error) => this.#report(error),
    });
  }

  async put<C extends Channel>(channel: C, packet: ChannelPackets[C], key: string | null): Promise<void> {
    const options = { jobId: jobIdOf(key), removeOnComplete: true };
    const add = async () => {
      await this.#backend.admit(channel);
      return this.#lanes[channel].queue.add("packet", await packPacket(packet), options);
    };
    await this.#run(add());
  }

  async take<C extends Channel>(channel: C): Promise<Lease<C> | null> {
    const lane = this.#lanes[channel];
    if (!lane.checksStalled) {
      lane.checksStalled = true;
      await lane.worker.startStalledCheckTimer();
    }
    const token = randomUUID();
    const job = await this.#run(lane.worker.getNextJob(token, { block: false }));
    this.#backend.onTaken(channel, job !== undefined);
    if (!job) return null;
    assert(job.id !== undefined);
    const lease: JobLease<C> = {
      attempt: job.attemptsStarted,
      jobId: job.id,
      token,
      readPacket: () => unpackPacket(channel, job.data),
      report: (progress) => this.#run(job.updateProgress({ ...progress })),
      acknowledge: async () => {
        await this.#run(job.moveToCompleted(null, token, false));
        this.#run(this.#backend.onRemoved()).catch((error) => this.#report(error));
      },
      giveBack: async (delayMs) => {
        if (delayMs === 0) await this.#run(job.moveToWait(token));
        else await this.#run(job.moveToDelayed(Date.now() + delayMs, token));
      },
    };
    return lease;
  }

  async renew<C extends Channel>(channel: C, leases: readonly Lease<C>[]): Promise<readonly Lease<C>[]> {
    const jobs = leases as readonly JobLease<C>[];
    const ids = jobs.map(({ jobId }) => jobId);
    const tokens = jobs.map(({ token }) => token);
    const lost = await this.#run(this.#lanes[channel].worker.extendJobLocks(ids, tokens, this.leaseMs));
    return jobs.filter(({ jobId }) => lost.includes(jobId));
  }

  async backlog(channel: Channel): Promise<Backlog> {
    const counts = await this.#run(this.#lanes[channel].queue.getJobCounts("waiting", "delayed", "active"));
    const { waiting = 0, delayed = 0, active = 0 } = counts;
    return { waiting: waiting + delayed, inFlight: active };
  }

  async oldestAgeMs(channel: Channel): Promise<number> {
    const { queue } = this.#lanes[channel];
    const states = ["active", "waiting", "delayed"] as const;
    const oldest = await this.#run(Promise.all(states.map((state) => queue.getJobs(state, 0, 0, true))));
    const sentAtMs = oldest.flat().map((job) => job.timestamp);
    return sentAtMs.length === 0 ? 0 : Math.max(Date.now() - Math.min(...sentAtMs), 0);
  }

  subscribe(onArrival: (channel: Channel) => void): void {
    this.#onArrival = onArrival;
  }

  async close(): Promise<void> {
    this.#closing = true;
    // BullMQ never answers a call that meets a closing connection.
    await Promise.allSettled(this.#pending);
    await Promise.all(this.#parts().map((part) => part.close()));
    await this.#backend.close();
  }

  #openLane(channel: Channel) {
    const lane = this.#backend.openLane(channel);
    lane.queue.on("error", (error) => this.#report(error));
    lane.worker.on("error", (error) => this.#report(error));
    lane.worker.on("stalled", () => this.#onArrival(channel));
    return { ...lane, checksStalled: false };
  }

  #parts() {
    return Object.values(this.#lanes).flatMap(({ queue, worker }) => [queue, worker]);
  }

  async #run<Value>(pending: Promise<Value>): Promise<Value> {
    this.#pending.add(pending);
    try {
      return await pending;
    } catch (error) {
      throw this.#backend.faultOf(error);
    } finally {
      this.#pending.delete(pending);
    }
  }

  #report(error: unknown): void {
    if (this.#closing) return;
    if (typeof error === "object" && error !== null) {
      if (this.#reported.has(error)) return;
      this.#reported.add(error);
    }
    this.#onFault(faultOf(this.#backend.faultOf(error), this.name, "in the background"));
  }
}

interface JobLease<C extends Channel> extends Lease<C> {
  readonly jobId: string;
  readonly token: string;
}

/** BullMQ takes no id that is a whole number or has a colon. */
function jobIdOf(key: string | null): string {
  if (key === null) return `unnamed-${randomUUID()}`;
  return `key-${Buffer.from(key).toString("base64url")}`;
}
