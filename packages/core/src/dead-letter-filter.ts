import { suggestion } from "./closest.ts";
import { MedleyError } from "./errors.ts";
import { isObject, kindOf, textProblem } from "./record/describe-value.ts";
import { versionMax } from "./version.ts";

const columnTypes = {
  deadLetterId: "integer",
  collection: "text",
  recordId: "text",
  version: "integer",
  stage: "text",
  code: "text",
  reason: "text",
  source: "text",
  runId: "text",
  attempt: "integer",
  trace: "text",
  failures: "integer",
  createdAt: "time",
  replayedAt: "time",
} as const;

export type DeadLetterColumn = keyof typeof columnTypes;
type ColumnType = (typeof columnTypes)[DeadLetterColumn];

const ordered = ["eq", "ne", "lt", "lte", "gt", "gte", "in", "null"] as const;
const operatorsOf = {
  text: ["eq", "ne", "in", "like", "null"],
  integer: ordered,
  time: ordered,
} as const satisfies Record<ColumnType, readonly string[]>;
export type DeadLetterOperator = (typeof operatorsOf)[ColumnType][number];

type Value = string | number | bigint;

/**
 * Which dead letters: a value, null, or operators per column; all hold at once. A letter without a value fails all but `ne`
 * and `{ null: true }`. Times are ISO 8601; `like` is SQL's, with `%` and `_`.
 *
 *     { code: "encoder_failed", source: { like: "films.csv%" }, createdAt: { gte: "2026-11-01" }, replayedAt: null }
 */
export type DeadLetterWhere = {
  readonly [Column in DeadLetterColumn]?:
    | Value
    | null
    | { readonly [Operator in DeadLetterOperator]?: Value | boolean | readonly Value[] };
};

/** One condition, checked: `value` is a text for Postgres, of `in` a list of them, of `null` whether it is to be null. */
export type DeadLetterCondition = { readonly column: DeadLetterColumn; readonly type: ColumnType } & (
  | { readonly operator: "null"; readonly value: boolean }
  | { readonly operator: "in"; readonly value: readonly string[] }
  | { readonly operator: Exclude<DeadLetterOperator, "null" | "in">; readonly value: string }
);

const listMax = 1_000;

/** Checks a filter that may come from anywhere. Throws `MedleyError` `query_invalid`, which names the column and the mend. */
export function deadLetterConditions(where: unknown): readonly DeadLetterCondition[] {
  if (!isObject(where)) {
    throw refused(`a filter of dead letters must be an object, not ${kindOf(where)}`, {
      mend: 'such as {"code": "encoder_failed", "source": {"like": "films.csv%"}}',
    });
  }
  return Object.entries(where).flatMap(([name, wanted]) => {
    if (wanted === undefined) return [];
    if (!Object.hasOwn(columnTypes, name)) {
      throw refused(`dead letters have no column "${name}"`, {
        mend: suggestion(name, Object.keys(columnTypes)),
      });
    }
    const column = name as DeadLetterColumn;
    if (wanted === null) return [conditionOf(column, "null", true)];
    if (!isObject(wanted)) return [conditionOf(column, "eq", wanted)];
    return Object.entries(wanted).map(([operator, value]) => conditionOf(column, operator, value));
  });
}

function conditionOf(column: DeadLetterColumn, operator: string, value: unknown): DeadLetterCondition {
  const type = columnTypes[column];
  const known: readonly string[] = operatorsOf[type];
  if (!known.includes(operator)) {
    throw refused(`"${column}" has no operator "${operator}"`, { mend: suggestion(operator, known) });
  }
  const at = `${column}.${operator}`;
  if (operator === "null") {
    if (typeof value === "boolean") return { column, type, operator, value };
    throw refused(`${at} must be true or false, not ${kindOf(value)}`);
  }
  if (operator === "in") {
    if (Array.isArray(value) && value.length <= listMax)
      return { column, type, operator, value: value.map((one) => textOf(type, one, at)) };
    throw refused(`${at} must be a list of at most ${listMax} values, not ${kindOf(value)}`);
  }
  const text = textOf(type, value, at);
  // An escape that escapes nothing is an error to Postgres.
  if (operator === "like" && /(?<!\\)(\\\\)*\\$/.test(text))
    throw refused(`${at} ends with a lone backslash`);
  return { column, type, operator: operator as "eq", value: text };
}

const isoTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

function textOf(type: ColumnType, value: unknown, at: string): string {
  switch (type) {
    case "text": {
      if (typeof value !== "string") throw refused(`${at} must be a text, not ${kindOf(value)}`);
      const problem = textProblem(value);
      if (problem !== undefined) throw refused(`${at} ${problem}`);
      return value;
    }
    case "integer": {
      // Versions are beyond what a JSON number holds exactly.
      const isWhole =
        typeof value === "bigint" ||
        (typeof value === "string" ? /^-?\d{1,19}$/.test(value) : Number.isSafeInteger(value));
      if (isWhole && BigInt(value as string) <= versionMax && BigInt(value as string) >= -versionMax)
        return String(value);
      throw refused(`${at} must be a whole number, not ${kindOf(value)}`, {
        mend: "one above 2^53 as a text of digits",
      });
    }
    case "time": {
      const time = typeof value === "string" && isoTime.test(value) ? new Date(value) : null;
      if (time !== null && !Number.isNaN(time.getTime())) return time.toISOString();
      throw refused(`${at} must be a time, not ${kindOf(value)}`, {
        mend: 'write it as "2026-11-01" or "2026-11-01T12:30:00Z"',
      });
    }
    default:
      throw new Error(`unreachable: ${type satisfies never}`);
  }
}

function refused(message: string, options: { mend?: string } = {}): MedleyError {
  return new MedleyError("query_invalid", message, options);
}
