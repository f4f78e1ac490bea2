import pg from "pg";

export interface PoolOptions {
  readonly connectionString: string;
  /** Default 4. */
  readonly connectionsMax?: number;
  /** What `pg_stat_activity` calls the connections. Default `medley`. */
  readonly applicationName?: string;
  /**
   * How long an answer may take before its connection is given up: where a server or the way to it vanishes without a word,
   * nothing else would end the wait for many minutes. Default null, no limit: the embedded engine makes all others wait
   * while it builds an index.
   */
  readonly queryMsMax?: number | null;
  /** Postgres' `statement_timeout`. Default null: what the server or the role says. */
  readonly statementMsMax?: number | null;
  /** Postgres' `lock_timeout`. Default null: what the server or the role says. */
  readonly lockMsMax?: number | null;
}

const connectMsMax = 10_000;
const keepAliveDelayMs = 10_000;

/** Connections to `connectionString`; a broken idle one is replaced without a word. To be closed with `end()`. */
export function openPool(options: PoolOptions): pg.Pool {
  const { connectionString, connectionsMax, applicationName } = options;
  const pool = new pg.Pool({
    connectionString,
    max: connectionsMax ?? 4,
    connectionTimeoutMillis: connectMsMax,
    application_name: applicationName ?? "medley",
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    // 0: pg sends and counts nothing.
    query_timeout: options.queryMsMax ?? 0,
    statement_timeout: options.statementMsMax ?? 0,
    lock_timeout: options.lockMsMax ?? 0,
  });
  pool.on("error", () => {});
  return pool;
}
