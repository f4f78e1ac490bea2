import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";

export interface IndexProgress {
  /** Postgres' own words, such as `building index: loading tuples`. */
  readonly phase: string;
  readonly rowsDone: number;
  readonly rowsTotal: number;
}

const pollMs = 500;

/** Rows are told while they are loaded; what comes after reads the table's blocks once more. */
const progressSql = `select phase, tuples_done::float8 as tuples, blocks_done::float8 as "blocksDone",
  blocks_total::float8 as "blocksTotal" from pg_stat_progress_create_index where pid = $1`;

/**
 * Looks every half second, over a connection of its own, at how far the backend `pid` is with its index, until it is disposed.
 * A look that fails is left out: it is no reason to end the build.
 */
export async function watchIndexBuild(
  client: pg.Client,
  { pid, rowsTotal, onProgress }: WatchOptions,
): Promise<AsyncDisposable> {
  const stopping = new AbortController();
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      const { rows } = await client.query(progressSql, [pid]).catch(() => ({ rows: [] }));
      if (rows[0] !== undefined) onProgress(progressOf(rows[0], rowsTotal));
      await sleep(pollMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await watching;
    },
  };
}

interface WatchOptions {
  readonly pid: number;
  readonly rowsTotal: number;
  readonly onProgress: (progress: IndexProgress) => void;
}

function progressOf(
  { phase, tuples, blocksDone, blocksTotal }: ProgressRow,
  rowsTotal: number,
): IndexProgress {
  const share = blocksTotal > 0 ? blocksDone / blocksTotal : 0;
  const rowsDone = tuples > 0 ? Math.min(tuples, rowsTotal) : Math.round(share * rowsTotal);
  return { phase, rowsDone, rowsTotal };
}

interface ProgressRow {
  readonly phase: string;
  readonly tuples: number;
  readonly blocksDone: number;
  readonly blocksTotal: number;
}
