import type { BackfillRun, RunProgress } from "@medley/core";
import type pg from "pg";
import { withRetry } from "./retry.ts";

/** What an operator watches, cheap enough to be asked every second: no table of rows is read. */
export interface Figures {
  readonly collections: readonly {
    readonly collection: string;
    /** By Postgres' own statistics, which lag a little; 0 where it keeps none (the embedded engine). */
    readonly rowsEstimated: number;
    /** Inserts and updates since statistics began: two readings give a rate. */
    readonly rowsWritten: number;
  }[];
  readonly deadLettersOpen: readonly {
    readonly collection: string;
    readonly code: string;
    readonly deadLetters: number;
  }[];
  /** Of the collections that have unfinished runs. */
  readonly backfills: readonly {
    readonly collection: string;
    /** Read and not yet indexed, tombstoned, superseded or dead letters: the backfill's lag in records. */
    readonly recordsUnsettled: number;
  }[];
  /** Unfinished ones and the newest of the others, newest first, at most 20. */
  readonly runs: readonly RunFigures[];
}

export interface RunFigures extends RunProgress {
  readonly runId: string;
  readonly collection: string;
  readonly source: string;
  readonly state: BackfillRun["state"];
  readonly chunksSent: number;
  readonly recordsRead: number;
  readonly startedAtMs: number;
}

const collectionsSql = `select name as collection, coalesce(n_live_tup, 0)::float8 as "rowsEstimated",
  coalesce(n_tup_ins + n_tup_upd, 0)::float8 as "rowsWritten"
from medley_internal.collections
left join pg_stat_user_tables on schemaname = 'medley_internal' and relname = live_table order by name`;

const deadLettersSql = `select collection, code, count(*)::float8 as "deadLetters"
from medley_internal.dead_letters where replayed_at is null group by collection, code order by collection, code`;

const progressSql = `left join lateral (
  select count(*)::float8 as chunks_done, coalesce(sum(indexed), 0)::float8 as indexed,
    coalesce(sum(tombstoned), 0)::float8 as tombstoned, coalesce(sum(superseded), 0)::float8 as superseded,
    coalesce(sum(dead_letters), 0)::float8 as dead_letters
  from medley_internal.backfill_chunk chunk where chunk.run_id = run.run_id
) progress on true`;

const backfillsSql = `select collection,
  sum(greatest(records_read - indexed - tombstoned - superseded - dead_letters, 0))::float8 as "recordsUnsettled"
from medley_internal.backfill_run run ${progressSql}
where not done group by collection order by collection`;

const runsSql = `select run.run_id as "runId", collection, source, case when done then 'done' when all_sent then 'sent' else 'running' end as state,
  chunks_sent as "chunksSent", records_read::float8 as "recordsRead",
  (extract(epoch from started_at) * 1000)::float8 as "startedAtMs", chunks_done as "chunksDone",
  indexed, tombstoned, superseded, dead_letters as "deadLetters"
from (select * from medley_internal.backfill_run order by done, started_at desc, run_id limit 20) run ${progressSql}
order by started_at desc, run.run_id`;

export async function readFigures(pool: pg.Pool): Promise<Figures> {
  const [collections, deadLettersOpen, backfills, runs] = await Promise.all([
    rowsOf<Figures["collections"][number]>(pool, collectionsSql),
    rowsOf<Figures["deadLettersOpen"][number]>(pool, deadLettersSql),
    rowsOf<Figures["backfills"][number]>(pool, backfillsSql),
    rowsOf<RunFigures>(pool, runsSql),
  ]);
  return { collections, deadLettersOpen, backfills, runs };
}

async function rowsOf<Row extends pg.QueryResultRow>(pool: pg.Pool, sql: string): Promise<readonly Row[]> {
  return (await withRetry(() => pool.query<Row>(sql))).rows;
}
