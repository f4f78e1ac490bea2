import {
  type DeadLetterColumn,
  type DeadLetterCondition,
  type DeadLetterCount,
  type DeadLetterPage,
  type DeadLetterWhere,
  deadLetterConditions,
  type Stage,
  type StoredDeadLetter,
} from "@medley/core";
import type pg from "pg";
import { withRetry } from "./retry.ts";

const columns = {
  deadLetterId: "dead_letter_id",
  collection: "collection",
  recordId: "record_id",
  version: "version",
  stage: "stage",
  code: "code",
  reason: "reason",
  source: "source",
  runId: "run_id",
  attempt: "attempt",
  trace: "trace",
  failures: "failures",
  createdAt: "created_at",
  replayedAt: "replayed_at",
} as const satisfies Record<DeadLetterColumn, string>;

const sqlTypes = { text: "text", integer: "bigint", time: "timestamptz" } as const;
const comparisons = {
  eq: "=",
  ne: "is distinct from",
  lt: "<",
  lte: "<=",
  gt: ">",
  gte: ">=",
  like: "like",
} as const;

const selectSql = `select dead_letter_id, collection, record_id, version, stage, code, reason, payload, source, run_id,
  (extract(epoch from created_at) * 1000)::float8 as created_at_ms,
  (extract(epoch from replayed_at) * 1000)::float8 as replayed_at_ms, failures, attempt, trace
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
  attempt: number;
  trace: string | null;
}

export async function listDeadLetters(
  pool: pg.Pool,
  { where = {}, oldestFirst = false, after, upTo, limit }: DeadLetterPage,
): Promise<readonly StoredDeadLetter[]> {
  const parameters = new Parameters();
  const conditions = deadLetterConditions(where).map((condition) => conditionSql(condition, parameters));
  if (after !== undefined)
    conditions.push(`dead_letter_id ${oldestFirst ? ">" : "<"} ${parameters.add(after, "bigint")}`);
  if (upTo !== undefined) conditions.push(`dead_letter_id <= ${parameters.add(upTo, "bigint")}`);
  const text = `${selectSql} where ${allOf(conditions)}
order by dead_letter_id ${oldestFirst ? "asc" : "desc"} limit ${parameters.add(limit, "bigint")}`;
  const { rows } = await withRetry(() => pool.query<DeadLetterRow>(text, parameters.values));
  return rows.map(readRow);
}

export async function countDeadLetters(
  pool: pg.Pool,
  where: DeadLetterWhere,
): Promise<readonly DeadLetterCount[]> {
  const parameters = new Parameters();
  const conditions = deadLetterConditions(where).map((condition) => conditionSql(condition, parameters));
  const text = `select collection, code, count(*)::float8 as count, max(dead_letter_id)::float8 as "lastDeadLetterId"
from medley_internal.dead_letters where ${allOf(conditions)} group by collection, code order by count(*) desc, collection, code`;
  const { rows } = await withRetry(() => pool.query<DeadLetterCount>(text, parameters.values));
  return rows;
}

export async function readDeadLetter(pool: pg.Pool, deadLetterId: number): Promise<StoredDeadLetter | null> {
  const { rows } = await withRetry(() =>
    pool.query<DeadLetterRow>(`${selectSql} where dead_letter_id = $1`, [deadLetterId]),
  );
  return rows[0] === undefined ? null : readRow(rows[0]);
}

/** Values of a statement, which are never part of its text. */
class Parameters {
  readonly values: unknown[] = [];

  add(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}

function conditionSql(condition: DeadLetterCondition, parameters: Parameters): string {
  const column = columns[condition.column];
  const type = sqlTypes[condition.type];
  switch (condition.operator) {
    case "null":
      return `${column} is ${condition.value ? "" : "not "}null`;
    case "in":
      return `${column} = any (${parameters.add(condition.value, `${type}[]`)})`;
    default:
      return `${column} ${comparisons[condition.operator]} ${parameters.add(condition.value, type)}`;
  }
}

function allOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? "true" : conditions.join(" and ");
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
    attempt: row.attempt,
    trace: row.trace,
    createdAtMs: row.created_at_ms,
    replayedAtMs: row.replayed_at_ms,
    failures: row.failures,
  };
}
