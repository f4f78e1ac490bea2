import { MedleyError } from "@medley/core";
import { Redis, type RedisOptions } from "ioredis";

export const backendName = "the queue in Redis";

const reconnectMsMin = 50;
const reconnectMsMax = 2_000;
/** That a blocking command may be late by, before its connection is taken to be dead. */
const lateMsMax = 5_000;

/**
 * What all connections share. A command fails at once where there is no connection, and when its connection breaks; none is
 * kept or sent again by the client, whose callers know whether trying again is safe. The connection itself is made again
 * for ever.
 */
const resilience = {
  lazyConnect: true,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  retryStrategy: (attempt) =>
    Math.min(reconnectMsMin * 2 ** Math.min(attempt, 10), reconnectMsMax) * (0.5 + Math.random() / 2),
  // After a failover the old primary refuses writes as a replica: the address leads to the new one.
  reconnectOnError: ({ message }) => message.startsWith("READONLY"),
} as const satisfies RedisOptions;

/** For commands that answer at once; many may be under way. */
export function commandConnection(url: string, options: { name: string; commandMsMax: number }): Redis {
  const { name, commandMsMax } = options;
  return new Redis(url, {
    ...resilience,
    connectionName: name,
    connectTimeout: commandMsMax,
    commandTimeout: commandMsMax,
    // A line that has gone silent, neither open nor closed, is told from a slow one by this alone.
    socketTimeout: commandMsMax,
  });
}

/** For one command at a time that waits up to `blockMsMax` for its answer. */
export function blockingConnection(
  url: string,
  options: { name: string; connectMsMax: number; blockMsMax: number },
): Redis {
  return new Redis(url, {
    ...resilience,
    connectionName: options.name,
    connectTimeout: options.connectMsMax,
    socketTimeout: options.blockMsMax + lateMsMax,
  });
}

/** Resolves when the connection is ready; rejects with what keeps it from that, after `timeoutMs` at the latest. */
export async function connect(redis: Redis, timeoutMs: number): Promise<void> {
  const failed = Promise.withResolvers<never>();
  redis.once("error", failed.reject);
  const timer = setTimeout(() => failed.reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    await Promise.race([redis.connect(), failed.promise]);
  } finally {
    clearTimeout(timer);
    redis.off("error", failed.reject);
    // A rejection that nobody looks at any more.
    failed.promise.catch(() => {});
  }
}

const unreachable = /isn't writeable|max retries per request|Connection is closed|Command timed out/;

/**
 * A failure as users should read it: the client's words for a connection that is away say nothing, and its errors carry
 * the command they belong to, records included, which must not reach a log.
 */
export function redisFaultOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  delete (error as { command?: unknown }).command;
  if (unreachable.test(error.message)) {
    return new MedleyError("transport_unavailable", `${backendName} can't be reached`, {
      mend: "see that it runs and answers at the configured address; trying again is safe",
      cause: error,
    });
  }
  if (error.message.startsWith("OOM")) {
    return new MedleyError("transport_unavailable", `${backendName} is out of memory (maxmemory)`, {
      mend: "give it more memory; trying again is safe",
      cause: error,
    });
  }
  return error;
}
