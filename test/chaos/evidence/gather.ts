import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { readJournal } from "../workload/journal.ts";
import {
  type AuditedWrite,
  auditQuery,
  type Letter,
  lettersQuery,
  rowsQuery,
  type StoredRow,
} from "./audit.ts";
import { check, type FinishedRun, type Verdict } from "./checker.ts";

export interface Witnesses {
  readonly database: pg.Pool;
  readonly journalPath: string;
  readonly runs: readonly FinishedRun[];
}

/** Checks what is there now. Rejects while Postgres does not serve. */
export async function verdictNow({ database, journalPath, runs }: Witnesses): Promise<Verdict> {
  const client = await database.connect();
  try {
    // One snapshot, so that a write between two queries is in both or in none.
    await client.query("begin isolation level repeatable read read only");
    const { rows: audit } = await client.query<AuditedWrite>(auditQuery);
    const { rows } = await client.query<StoredRow>(rowsQuery);
    const { rows: letters } = await client.query<Letter>(lettersQuery);
    await client.query("commit");
    return check({ journal: readJournal(journalPath), audit, rows, letters, runs });
  } finally {
    client.release(true);
  }
}

const lookEveryMs = 500;
const isSettled = ({ violations }: Verdict) =>
  violations.every((violation) => !/ is lost$|dead letters of them$/.test(violation));

/** Resolves when nothing accepted is on its way any more, or at the latest after `msMax`, with what holds then. */
export async function verdictOnceDrained(witnesses: Witnesses, msMax: number): Promise<Verdict> {
  const endsAtMs = performance.now() + msMax;
  for (;;) {
    const verdict = await verdictNow(witnesses).catch((error: unknown) => {
      if (performance.now() > endsAtMs) throw error;
      return null;
    });
    if (verdict !== null && (isSettled(verdict) || performance.now() > endsAtMs)) return verdict;
    await sleep(lookEveryMs);
  }
}
