import { createHash } from "node:crypto";
import { canonicalJson, type DeadLetter, type StoredDeadLetter } from "@medley/core";
import type pg from "pg";
import { withRetry } from "./retry.ts";
import { binaryArray, elementOids, int8Bytes, textBytes } from "./rows/binary-array.ts";

/** Of one statement. */
const lettersMax = 500;

const insertSql = `insert into medley_internal.dead_letters as letter
  (dedupe_key, collection, record_id, version, stage, code, reason, payload, source, run_id, attempt, trace)
select dedupe_key, collection, record_id, version, stage, code, reason, payload, source, run_id, attempt, trace from (
  select distinct on (dedupe_key) * from unnest(
    $1::bytea[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::text[], $10::text[],
    $11::bigint[], $12::text[]
  ) with ordinality
    as input (dedupe_key, collection, record_id, version, stage, code, reason, payload, source, run_id, attempt, trace, place)
  order by dedupe_key, place
) as once order by place
on conflict (dedupe_key) do update set failures = letter.failures + 1, replayed_at = null,
  version = excluded.version, code = excluded.code, reason = excluded.reason, payload = excluded.payload,
  run_id = excluded.run_id, attempt = excluded.attempt, trace = excluded.trace`;

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
  const integers = (pick: (letter: DeadLetter) => bigint | null) =>
    binaryArray(
      elementOids.int8,
      letters.map((letter) => {
        const value = pick(letter);
        return value === null ? null : int8Bytes(value);
      }),
    );
  return [
    binaryArray(elementOids.bytea, letters.map(dedupeKey)),
    texts((letter) => letter.collection),
    texts((letter) => letter.recordId),
    integers((letter) => letter.version),
    texts((letter) => letter.stage),
    texts((letter) => letter.code),
    texts((letter) => letter.reason),
    binaryArray(
      elementOids.bytea,
      letters.map(({ payload }) => payload),
    ),
    texts((letter) => letter.source),
    texts((letter) => letter.runId),
    integers((letter) => BigInt(letter.attempt)),
    texts((letter) => letter.trace),
  ];
}

/** A Postgres text can't hold a zero byte, which may be the very reason of the letter; the payload keeps it. */
function storableText(value: string | null): Uint8Array | null {
  return value === null ? null : textBytes(value.replaceAll("\0", "\ufffd"));
}

function dedupeKey({ collection, recordId, version, stage, source }: DeadLetter): Uint8Array {
  // What was rejected at the door has another version each time its file is read, and is the same letter all the same.
  const counted = stage === "produce" || version === null ? null : String(version);
  const identity = [collection, recordId, counted, stage, source];
  return createHash("sha256").update(canonicalJson(identity)).digest();
}

const markSql = `update medley_internal.dead_letters as letter set replayed_at = now()
from unnest($1::bigint[], $2::int[]) as sent (dead_letter_id, failures)
where letter.dead_letter_id = sent.dead_letter_id and letter.failures = sent.failures and letter.replayed_at is null`;

/** The time of the first replay stays. */
export async function markReplayed(
  pool: pg.Pool,
  letters: readonly Pick<StoredDeadLetter, "deadLetterId" | "failures">[],
): Promise<void> {
  const ids = letters.map(({ deadLetterId }) => deadLetterId);
  const failures = letters.map((letter) => letter.failures);
  await withRetry(() => pool.query(markSql, [ids, failures]));
}
