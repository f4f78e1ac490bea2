import { createHash } from "node:crypto";
import {
  canonicalJson,
  type DeadLetter,
  type DeadLetterFilter,
  type Stage,
  type StoredDeadLetter,
} from "@medley/core";
import type pg from "pg";
import { withRetry } from "./retry.ts";
import { binaryArray, elementOids, int8Bytes, textBytes } from "./rows/binary-array.ts";

/** Of one statement. */
const lettersMax = 500;

const insertSql = `insert into medley_internal.dead_letters as letter
  (dedupe_key, collection, record_id, version, stage, code, reason, payload, source, run_id)
select dedupe_key, collection, record_id, version, stage, code, reason, payload, source, run_id from (
  select distinct on (dedupe_key) * from unnest(
    $1::bytea[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::text[], $10::text[]
  ) with ordinality
    as input (dedupe_key, collection, record_id, version, stage, code, reason, payload, source, run_id, place)
  order by dedupe_key, place
) as once order by place
on conflict (dedupe_key) do update set failures = letter.failures + 1, replayed_at = null,
  code = excluded.code, reason = excluded.reason, payload = excluded.payload, run_id = excluded.run_id`;

export async function addDeadLetters(pool: pg.Pool, letters: readonly DeadLetter[]): Promise<void> {
  for (let start = 0; start < letters.length; start += lettersMax) {
    const values = insertValues(letters.slice(start, start + lettersMax));
    await withRetry(() => pool.query(insertSql, values));
  }
}

function insertValues(letters: readonly DeadLetter[]): Buffer[] {
  const texts = (pick: (letter: DeadLetter) => string | null) =>
    binaryArray(
      elementOids.text,
      letters.map((letter) => storableText(pick(letter))),
    );
  const versions = letters.map(({ version }) => (version === null ? null : int8Bytes(version)));
  return [
    binaryArray(elementOids.bytea, letters.map(dedupeKey)),
    texts((letter) => letter.collection),
    texts((letter) => letter.recordId),
    binaryArray(elementOids.int8, versions),
    texts((letter) => letter.stage),
    texts((letter) => letter.code),
    texts((letter) => letter.reason),
    binaryArray(
      elementOids.bytea,
      letters.map(({ payload }) => payload),
    ),
    texts((letter) => letter.source),
    texts((letter) => letter.runId),
  ];
}

/** A Postgres text can't hold a zero byte, which may be the very reason of the letter; the payload keeps it. */
function storableText(value: string | null): Uint8Array | null {
  return value === null ? null : textBytes(value.replaceAll("\0", "\ufffd"));
}

function dedupeKey({ collection, recordId, version, stage, source }: DeadLetter): Uint8Array {
  const identity = [collection, recordId, version === null ? null : String(version), stage, source];
  return createHash("sha256").update(canonicalJson(identity)).digest();
}

const selectSql = `select dead_letter_id, collection, record_id, version, stage, code, reason, payload, source, run_id,
  (extract(epoch from created_at) * 1000)::float8 as created_at_ms,
  (extract(epoch from replayed_at) * 1000)::float8 as replayed_at_ms, failures
from medley_internal.dead_letters`;

interface DeadLetterRow {
  dead_letter_id: string;
  collection: string;
  record_id: string | null;
  version: string | null;
  stage: Stage;
  code: string;
  reason: string;
  payload: Buffer;
  source: string;
  run_id: string | null;
  created_at_ms: number;
  replayed_at_ms: number | null;
  failures: number;
}

/** Newest first. */
export async function listDeadLetters(
  pool: pg.Pool,
  filter: DeadLetterFilter,
): Promise<readonly StoredDeadLetter[]> {
  const { collection = null, code = null, runId = null, replayed = null, limit } = filter;
  const { rows } = await withRetry(() =>
    pool.query<DeadLetterRow>(
      `${selectSql}
where ($1::text is null or collection = $1) and ($2::text is null or code = $2) and ($3::text is null or run_id = $3)
  and ($4::boolean is null or (replayed_at is not null) = $4)
order by dead_letter_id desc limit $5`,
      [collection, code, runId, replayed, limit],
    ),
  );
  return rows.map(readRow);
}

export async function readDeadLetter(pool: pg.Pool, deadLetterId: number): Promise<StoredDeadLetter | null> {
  const { rows } = await withRetry(() =>
    pool.query<DeadLetterRow>(`${selectSql} where dead_letter_id = $1`, [deadLetterId]),
  );
  return rows[0] === undefined ? null : readRow(rows[0]);
}

/** The time of the first replay stays. */
export async function markReplayed(
  pool: pg.Pool,
  { deadLetterId, failures }: Pick<StoredDeadLetter, "deadLetterId" | "failures">,
): Promise<void> {
  await withRetry(() =>
    pool.query(
      "update medley_internal.dead_letters set replayed_at = now() where dead_letter_id = $1 and failures = $2 and replayed_at is null",
      [deadLetterId, failures],
    ),
  );
}

function readRow(row: DeadLetterRow): StoredDeadLetter {
  return {
    deadLetterId: Number(row.dead_letter_id),
    collection: row.collection,
    recordId: row.record_id,
    version: row.version === null ? null : BigInt(row.version),
    stage: row.stage,
    code: row.code,
    reason: row.reason,
    payload: row.payload,
    source: row.source,
    runId: row.run_id,
    createdAtMs: row.created_at_ms,
    replayedAtMs: row.replayed_at_ms,
    failures: row.failures,
  };
}
