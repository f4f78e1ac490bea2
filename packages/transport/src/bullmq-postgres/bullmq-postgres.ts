import { strict as assert } from "node:assert";
import { randomUUID } from "node:crypto";
import {
  type Backlog,
  type Channel,
  type ChannelPackets,
  channels,
  MedleyError,
  type Transport,
} from "@medley/core";
import { createPostgresBackend, type PostgresConnectionOptions, Queue, Worker } from "bullmq";
import pg from "pg";
import type { Lease, LeaseBroker } from "../lease-broker.ts";
import { faultOf } from "../lease-consumer.ts";
import { LeaseTransport } from "../lease-transport.ts";
import { packPacket, unpackPacket } from "../payload.ts";
import { ArrivalListener } from "./arrival-listener.ts";
import { type BullmqPostgresConfig, type BullmqPostgresOptions, bullmqPostgresConfig } from "./config.ts";
import { isStandalone, Vacuum } from "./vacuum.ts";

const brokerName = "the queue in Postgres";
const eventsMax = 1_000;
/** A lease that ran out is seen by two of BullMQ's passes: marked by one, taken back by the next. */
const stalledChecksPerLease = 3;

/**
 * Opens the queue that `migrateBullmq` made. Throws `MedleyError` `schema_behind` where it was not made, and
 * `transport_unavailable` where Postgres can't be reached.
 */
export async function openBullmqPostgres(options: BullmqPostgresOptions): Promise<Transport> {
  const config = bullmqPostgresConfig(options);
  const broker = new BullmqPostgresBroker(config);
  try {
    await broker.ready();
  } catch (error) {
    await broker.close();
    if (error instanceof Error && error.name === "SchemaMigrationRequiredError") {
      throw new MedleyError("schema_behind", "the queue's tables (schema bullmq) are not in the database", {
        mend: "run the migrations with a role that may create a schema",
        cause: error,
      });
    }
    throw faultOf(error, brokerName, "opening");
  }
  return new LeaseTransport({ broker, pollIntervalMs: config.pollIntervalMs, onFault: config.onFault });
}

type Lane = ReturnType<typeof openLane>;

/** Without the option that keeps one of the pool's connections for notifications: `ArrivalListener` has its own. */
const createWorkerBackend: typeof createPostgresBackend = (name, options) =>
  createPostgresBackend(name, options);

/**
 * Packets as BullMQ jobs, one queue per channel, fetched by hand: BullMQ's own loop asks an empty queue four questions at
 * a time, knows only Redis' faults and can't give back what it has in hand.
 *
 * BullMQ counts the attempts (`attemptsStarted`), keeps the leases (locks) and takes back those that ran out; leases are
 * timed by the clients' clocks, which must agree within a second or two. No job ever fails for BullMQ: there is no number of
 * attempts, nor of lost leases, after which a packet is given up.
 */
class BullmqPostgresBroker implements LeaseBroker {
  readonly name = brokerName;
  readonly leaseMs: number;
  readonly #config: BullmqPostgresConfig;
  readonly #pool: pg.Pool;
  readonly #lanes: Readonly<Record<Channel, Lane>>;
  readonly #pending = new Set<Promise<unknown>>();
  #listener: ArrivalListener | null = null;
  #vacuum: Vacuum | null = null;
  #onArrival: (channel: Channel) => void = () => {};
  #closing = false;

  constructor(config: BullmqPostgresConfig) {
    this.#config = config;
    this.leaseMs = config.leaseMs;
    this.#pool = new pg.Pool({
      connectionString: config.connectionString,
      max: config.connectionsMax,
      connectionTimeoutMillis: config.queryMsMax,
      query_timeout: config.queryMsMax,
      // Some of BullMQ's statements name their tables without a schema. By statement and not as an option of the connection:
      // PGlite's clients share one session, which is there before them.
      onConnect: (client) => client.query("set search_path to bullmq, public") as unknown as undefined,
    });
    this.#pool.on("error", (error) => this.#report(error));
    this.#lanes = { records: this.#openLane("records"), vectors: this.#openLane("vectors") };
  }

  async ready(): Promise<void> {
    for (const part of this.#parts()) await part.waitUntilReady();
    if (await isStandalone(this.#pool)) {
      this.#vacuum = new Vacuum(this.#pool);
      return;
    }
    this.#listener = new ArrivalListener({
      connectionString: this.#config.connectionString,
      connectMsMax: this.#config.queryMsMax,
      onFault: (error) => this.#report(error),
      onArrival: (queueName) => {
        for (const channel of channels) {
          if (queueName === null || queueName === queueNameOf(channel)) this.#onArrival(channel);
        }
      },
    });
  }

  async put<C extends Channel>(channel: C, packet: ChannelPackets[C], key: string | null): Promise<void> {
    const options = { jobId: jobIdOf(key), removeOnComplete: true };
    const add = async () => this.#lanes[channel].queue.add("packet", await packPacket(packet), options);
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
    if (!job) return null;
    assert(job.id !== undefined);
    const lease: JobLease<C> = {
      attempt: job.attemptsStarted,
      jobId: job.id,
      token,
      readPacket: () => unpackPacket(channel, job.data),
      acknowledge: async () => {
        await this.#run(job.moveToCompleted(null, token, false));
        if (this.#vacuum) this.#run(this.#vacuum.packetRemoved()).catch((error) => this.#report(error));
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
    await Promise.all([this.#listener?.close(), this.#pool.end()]);
  }

  #openLane(channel: Channel) {
    const lane = openLane(this.#pool, channel, this.leaseMs);
    lane.queue.on("error", (error) => this.#report(error));
    lane.worker.on("error", (error) => this.#report(error));
    lane.worker.on("stalled", () => this.#onArrival(channel));
    return lane;
  }

  #parts() {
    return Object.values(this.#lanes).flatMap(({ queue, worker }) => [queue, worker]);
  }

  async #run<Value>(pending: Promise<Value>): Promise<Value> {
    this.#pending.add(pending);
    try {
      return await pending;
    } finally {
      this.#pending.delete(pending);
    }
  }

  #report(error: unknown): void {
    if (!this.#closing) this.#config.onFault(faultOf(error, brokerName, "in the background"));
  }
}

interface JobLease<C extends Channel> extends Lease<C> {
  readonly jobId: string;
  readonly token: string;
}

function openLane(pool: pg.Pool, channel: Channel, leaseMs: number) {
  const queueName = queueNameOf(channel);
  // BullMQ's own type for a pool is narrower than pg's by overloads it does not call.
  const connection = pool as unknown as PostgresConnectionOptions;
  const queue = new Queue(
    queueName,
    { connection, streams: { events: { maxLen: eventsMax } } },
    createPostgresBackend,
  );
  const worker = new Worker(
    queueName,
    null,
    {
      connection,
      autorun: false,
      lockDuration: leaseMs,
      stalledInterval: Math.ceil(leaseMs / stalledChecksPerLease),
      // Postgres' largest integer: never.
      maxStalledCount: 2 ** 31 - 1,
    },
    createWorkerBackend,
  );
  return { queue, worker, checksStalled: false };
}

function queueNameOf(channel: Channel): string {
  return `medley-${channel}`;
}

/** BullMQ takes no id that is a whole number or has a colon. */
function jobIdOf(key: string | null): string {
  if (key === null) return `unnamed-${randomUUID()}`;
  return `key-${Buffer.from(key).toString("base64url")}`;
}
