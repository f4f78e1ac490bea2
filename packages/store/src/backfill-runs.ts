import type { BackfillRun, RunMark, RunPosition, RunProgress } from "@medley/core";
import type pg from "pg";
import type { PreparedStatements } from "./prepared-statements.ts";
import { withRetry } from "./retry.ts";

const selectSql = `select run_id, collection, source, fingerprint, base_version, chunks_sent, records_read, position, all_sent, done,
  (extract(epoch from started_at) * 1000)::float8 as started_at_ms
from medley_internal.backfill_run`;

interface RunRow {
  run_id: string;
  collection: string;
  source: string;
  fingerprint: string;
  base_version: string;
  chunks_sent: number;
  records_read: string;
  position: RunPosition | null;
  all_sent: boolean;
  done: boolean;
  started_at_ms: number;
}

/** The same run again has no effect. */
export async function createRun(pool: pg.Pool, run: BackfillRun): Promise<void> {
  await withRetry(() =>
    pool.query(
      `insert into medley_internal.backfill_run
  (run_id, collection, source, fingerprint, base_version, chunks_sent, records_read, all_sent, done, started_at, position)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, to_timestamp($10::float8 / 1000), $11) on conflict do nothing`,
      [
        run.runId,
        run.collection,
        run.source,
        run.fingerprint,
        run.baseVersion,
        run.chunksSent,
        run.recordsRead,
        run.state !== "running",
        run.state === "done",
        run.startedAtMs,
        run.position === null ? null : JSON.stringify(run.position),
      ],
    ),
  );
}

export async function readRun(pool: pg.Pool, runId: string): Promise<BackfillRun | null> {
  const { rows } = await withRetry(() => pool.query<RunRow>(`${selectSql} where run_id = $1`, [runId]));
  return rows[0] === undefined ? null : readRow(rows[0]);
}

/** Never back: a late call of a slower writer has no effect. */
export async function advanceRun(
  pool: pg.Pool,
  runId: string,
  { chunksSent, recordsRead, position }: RunMark,
): Promise<void> {
  await withRetry(() =>
    pool.query(
      `update medley_internal.backfill_run set chunks_sent = $2, records_read = $3, position = $4
where run_id = $1 and chunks_sent <= $2 and records_read <= $3`,
      [runId, chunksSent, recordsRead, position === null ? null : JSON.stringify(position)],
    ),
  );
}

export async function sealRun(statements: PreparedStatements, runId: string): Promise<void> {
  await withRetry(() =>
    statements.query("update medley_internal.backfill_run set all_sent = true where run_id = $1", [runId]),
  );
  await finishRunIfDone(statements, runId);
}

/**
 * To be called after the commit of what may have been the last step: a chunk's mark, or the seal. Whoever commits last then
 * sees all the others, so exactly the last one finishes the run; in the committing statement itself two would miss each
 * other. A process that dies in between leaves its packet in the queue, and the next one calls again.
 *
 * Chunks are counted only where the run waits for its last ones.
 */
export async function finishRunIfDone(statements: PreparedStatements, runId: string): Promise<void> {
  await withRetry(() =>
    statements.query(
      `update medley_internal.backfill_run as run set done = true
where run_id = $1 and all_sent and not done
  and chunks_sent <= (select count(*) from medley_internal.backfill_chunk as chunk where chunk.run_id = run.run_id)`,
      [runId],
    ),
  );
}

export async function readRunProgress(pool: pg.Pool, runId: string): Promise<RunProgress> {
  const { rows } = await withRetry(() =>
    pool.query<RunProgress>(
      `select count(*)::float8 as "chunksDone", coalesce(sum(indexed), 0)::float8 as indexed,
  coalesce(sum(tombstoned), 0)::float8 as tombstoned, coalesce(sum(superseded), 0)::float8 as superseded,
  coalesce(sum(dead_letters), 0)::float8 as "deadLetters"
from medley_internal.backfill_chunk where run_id = $1`,
      [runId],
    ),
  );
  return rows[0] as RunProgress;
}

function readRow(row: RunRow): BackfillRun {
  return {
    runId: row.run_id,
    collection: row.collection,
    source: row.source,
    fingerprint: row.fingerprint,
    baseVersion: BigInt(row.base_version),
    chunksSent: row.chunks_sent,
    recordsRead: Number(row.records_read),
    position: row.position,
    state: row.done ? "done" : row.all_sent ? "sent" : "running",
    startedAtMs: row.started_at_ms,
  };
}
