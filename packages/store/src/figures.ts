import type pg from "pg";

/** What an operator watches, cheap enough to be asked every few seconds: no table of rows is read. */
export interface Figures {
  readonly deadLettersOpen: readonly {
    readonly collection: string;
    readonly code: string;
    readonly deadLetters: number;
  }[];
  /** Of the collections that have unfinished runs. */
  readonly backfills: readonly {
    readonly collection: string;
    readonly runs: number;
    /** Read and not yet indexed, tombstoned, superseded or dead letters: the backfill's lag in records. */
    readonly recordsUnsettled: number;
  }[];
}

const deadLettersSql = `select collection, code, count(*)::float8 as "deadLetters"
from medley_internal.dead_letters where replayed_at is null group by collection, code order by collection, code`;

const backfillsSql = `select run.collection, count(*)::float8 as runs,
  sum(greatest(run.records_read - coalesce(chunks.settled, 0), 0))::float8 as "recordsUnsettled"
from medley_internal.backfill_run run
left join lateral (
  select sum(indexed + tombstoned + superseded + dead_letters) as settled
  from medley_internal.backfill_chunk chunk where chunk.run_id = run.run_id
) chunks on true
where not run.done group by run.collection order by run.collection`;

/** Asks once: whoever watches asks again soon. */
export async function readFigures(pool: pg.Pool): Promise<Figures> {
  const [letters, backfills] = await Promise.all([
    pool.query<Figures["deadLettersOpen"][number]>(deadLettersSql),
    pool.query<Figures["backfills"][number]>(backfillsSql),
  ]);
  return { deadLettersOpen: letters.rows, backfills: backfills.rows };
}
