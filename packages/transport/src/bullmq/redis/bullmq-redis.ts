import { type Channel, channels, type Transport } from "@medley/core";
import { createRedisBackend, Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { faultOf } from "../../lease-consumer.ts";
import {
  type BackendEvents,
  type BullmqBackend,
  type BullmqLane,
  eventsMax,
  queueNameOf,
  workerOptions,
} from "../backend.ts";
import { openBullmq } from "../bullmq-broker.ts";
import { type BullmqRedisConfig, type BullmqRedisOptions, bullmqRedisConfig } from "./config.ts";
import { backendName, blockingConnection, commandConnection, connect, redisFaultOf } from "./connection.ts";
import { MarkerListener } from "./marker-listener.ts";
import { MemoryRoom } from "./memory-room.ts";
import { checkVersion, durabilityWarnings } from "./server.ts";

/** BullMQ warns of longer waits on one connection. */
const blockMsMax = 10_000;

/**
 * Opens a queue in Redis (6.2 or newer, or Valkey; not a cluster), whose keys it makes as it needs them. Throws
 * `MedleyError` `transport_unavailable` where it can't be reached, and `usage` for an address or a server it can't use.
 */
export async function openBullmqRedis(options: BullmqRedisOptions): Promise<Transport> {
  const config = bullmqRedisConfig(options);
  const { url, prefix, commandMsMax } = config;
  const redis = commandConnection(url, { name: `${prefix}-commands`, commandMsMax });
  // It has listeners of its own later; one without any throws.
  redis.on("error", () => {});
  try {
    await connect(redis, commandMsMax);
    await checkVersion(redis);
    for (const warning of await durabilityWarnings(redis)) config.onWarning(warning);
    return await openBullmq({ ...config, backend: new RedisBackend(config, redis) });
  } catch (error) {
    redis.disconnect();
    throw faultOf(redisFaultOf(error), backendName, "opening");
  }
}

/** Without the blocking connection that BullMQ's own loop waits on: `MarkerListener` has its own. */
const createWorkerBackend: typeof createRedisBackend = (name, options) => createRedisBackend(name, options);

class RedisBackend implements BullmqBackend {
  readonly name = backendName;
  readonly #config: BullmqRedisConfig;
  readonly #redis: Redis;
  readonly #memory: MemoryRoom;
  readonly #idle = new Set<Channel>();
  readonly #listeners = new Map<Channel, MarkerListener>();
  readonly #markers = new Map<Channel, string>();
  #events: BackendEvents = { onArrival: () => {}, onFault: () => {} };

  constructor(config: BullmqRedisConfig, redis: Redis) {
    this.#config = config;
    this.#redis = redis;
    this.#memory = new MemoryRoom(redis);
  }

  openLane(channel: Channel): BullmqLane {
    const shared = {
      connection: this.#redis,
      prefix: this.#config.prefix,
      // `openBullmqRedis` has looked, and says it where it is heard.
      skipVersionCheck: true,
      // It is ready, and where it breaks this moment a command says so instead of waiting for ever.
      skipWaitingForReady: true,
    };
    const name = queueNameOf(channel);
    const queue = new Queue(name, { ...shared, streams: { events: { maxLen: eventsMax } } });
    const options = { ...shared, ...workerOptions(this.#config.leaseMs) };
    const worker = new Worker(name, null, options, createWorkerBackend);
    this.#markers.set(channel, worker.toKey("marker"));
    return { queue, worker };
  }

  async listen(events: BackendEvents): Promise<void> {
    this.#events = events;
    this.#redis.on("error", events.onFault);
  }

  async admit(channel: Channel): Promise<void> {
    // What was taken from `records` is free again only once its vectors are in the queue: these may use what is left.
    if (channel === "records") await this.#memory.admit();
  }

  onTaken(channel: Channel, found: boolean): void {
    if (found) {
      this.#idle.delete(channel);
      return;
    }
    this.#idle.add(channel);
    this.#listenerOf(channel).listen();
  }

  async onRemoved(): Promise<void> {}

  faultOf(error: unknown): unknown {
    return redisFaultOf(error);
  }

  async close(): Promise<void> {
    await Promise.all(channels.map((channel) => this.#listeners.get(channel)?.close()));
    this.#redis.disconnect();
  }

  #listenerOf(channel: Channel): MarkerListener {
    const existing = this.#listeners.get(channel);
    if (existing !== undefined) return existing;
    const { url, prefix, commandMsMax } = this.#config;
    const name = `${prefix}-arrivals-${channel}`;
    const redis = blockingConnection(url, { name, connectMsMax: commandMsMax, blockMsMax });
    const { onArrival, onFault } = this.#events;
    redis.on("error", onFault);
    const listener = new MarkerListener({
      redis,
      key: this.#markers.get(channel) as string,
      blockMsMax,
      isIdle: () => this.#idle.has(channel),
      onArrival: () => onArrival(channel),
      onFault,
    });
    this.#listeners.set(channel, listener);
    return listener;
  }
}
