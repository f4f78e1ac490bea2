import pg from "pg";

export interface ListenOptions {
  readonly connectionString: string;
  /** Told whenever a generation of any collection begins, becomes live or ends, and once listening, for what was before. */
  readonly onChange: () => void;
  readonly signal: AbortSignal;
}

const connectMsMax = 10_000;
const keepAliveDelayMs = 10_000;

/**
 * Listens on a connection of its own until aborted. Rejects where the connection can't be made or ends by itself. The server has to be
 * reached directly: behind a pooler that hands out connections per transaction nothing is told.
 */
export async function listenForGenerations(options: ListenOptions): Promise<void> {
  const { connectionString, onChange, signal } = options;
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: connectMsMax,
    application_name: "medley generations",
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
  });
  const ended = Promise.withResolvers<void>();
  // Looked at only below, and a connection that breaks before has its own rejection.
  ended.promise.catch(() => {});
  client.on("error", ended.reject);
  client.on("end", () => ended.reject(new Error("Connection terminated")));
  client.on("notification", onChange);
  let isConnected = false;
  const stop = () => {
    ended.resolve();
    // To end a client that is still connecting would leave its `connect` waiting for ever.
    if (!isConnected) client.connection.stream.destroy();
  };
  signal.addEventListener("abort", stop);
  try {
    await client.connect();
    isConnected = true;
    await client.query("listen medley_generations");
    onChange();
    if (!signal.aborted) await ended.promise;
  } finally {
    signal.removeEventListener("abort", stop);
    await client.end().catch(() => {});
  }
}
