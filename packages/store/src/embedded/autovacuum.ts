import pg from "pg";

/** Postgres' own rule: dead rows above 50 + 20% of the live, changed rows above 50 + 10%; and transaction ids long before they run out. */
const tablesInNeedSql = `select format('%I.%I', nspname, pg_class.relname) as name
from pg_class
join pg_namespace on pg_namespace.oid = relnamespace
left join pg_stat_all_tables stats on relid = pg_class.oid
where relkind in ('r', 'm') and relpersistence = 'p' and (
  n_dead_tup > 50 + 0.2 * n_live_tup or n_mod_since_analyze > 50 + 0.1 * n_live_tup
  or age(relfrozenxid) > 100000000
)`;

/**
 * The embedded engine has no autovacuum: without it, files grow with every change of a row, and the planner knows nothing
 * of the tables. Returns the tables it vacuumed.
 */
export async function vacuumWhereNeeded(connectionString: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString });
  client.on("error", () => {});
  await client.connect();
  try {
    // Counters of the last seconds may not be written yet.
    await client.query("select pg_stat_force_next_flush()");
    const { rows } = await client.query<{ name: string }>(tablesInNeedSql);
    for (const { name } of rows) await client.query(`vacuum (analyze) ${name}`);
    return rows.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

const pauseMs = 60_000;

/** Vacuums every minute until it is stopped; a round that fails is followed by the next. */
export function startAutovacuum(connectionString: string): { stop(): Promise<void> } {
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    running = running.then(() => vacuumWhereNeeded(connectionString)).catch(() => {});
  }, pauseMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
