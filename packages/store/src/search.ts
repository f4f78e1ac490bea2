import {
  type Collection,
  type ErrorCode,
  labelColumnsOf,
  MedleyError,
  type RecordFields,
} from "@medley/core";
import pg from "pg";
import { askedMsMax, withRetry } from "./retry.ts";
import { jsonExpression } from "./rows/columns.ts";

const { escapeIdentifier } = pg;

export interface Search {
  readonly collection: string;
  /** Per space what is asked of it: see `medley.encode_part`; a segment (`Float32Array`) for text. */
  readonly parts?: Readonly<Record<string, unknown>>;
  /** By space; the collection's where not given. */
  readonly weights?: Readonly<Record<string, number>>;
  /** The id of a row whose segments stand in for the parts not given. */
  readonly like?: string;
  /** The user whose profile stands in for the parts not given; not together with `like`. */
  readonly for?: string;
  /** Leaves out the records of the events of the user that the search is for. Default false. */
  readonly excludeSeen?: boolean;
  /** See sql/functions/filter.sql. */
  readonly filter?: Readonly<Record<string, unknown>>;
  /** Hits, 1 to 1,000. Default 10. */
  readonly k?: number;
  /** The share of the best hits that is to be found, 0 to 1; 1 scans exactly. Default .95. */
  readonly recall?: number;
  /** Refused unless it is the live one. Default: whichever is live. */
  readonly generation?: number;
  /** What *now* is for recency; the database's clock where not given. */
  readonly atMs?: number;
}

const recallDefault = 0.95;

export interface Hit {
  readonly id: string;
  /** The sum of the contributions. */
  readonly score: number;
  /** By space: weight x cosine. */
  readonly contributions: Readonly<Record<string, number>>;
  /** With the label and its probability (`SPACE_label`, `SPACE_probability`) of every space that is tuned. */
  readonly fields: RecordFields;
}

/**
 * Best first, equal scores in order of id: `medley.search` over `medley.query` or `medley.query_for`, with the rows' fields. Throws
 * `MedleyError` `query_invalid`, `not_found` (no row `like`) or `store_unavailable`.
 */
export async function search(pool: pg.Pool, collection: Collection, asked: Search): Promise<readonly Hit[]> {
  const shown = [
    ...collection.fields.map((field) => ({
      name: field.name,
      expression: jsonExpression(field, `row.${escapeIdentifier(field.name)}`),
    })),
    ...labelColumnsOf(collection)
      .flatMap(({ label, probability }) => [label, probability])
      .map((name) => ({ name, expression: `row.${escapeIdentifier(name)}` })),
  ];
  const expressions = shown.map(({ expression }, index) => `, ${expression} as f${index}`);
  const { call, values } = callOf("search", asked);
  const text = `select hit.id, hit.score, hit.contributions${expressions.join("")}
from ${call} as hit join medley.${escapeIdentifier(collection.name)} as row using (id)
order by hit.score desc, hit.id`;
  const { rows } = await withRetry(
    () => pool.query<HitRow>(text, [...values]).catch((error) => refuse(pool, asked, error)),
    askedMsMax,
  );
  return rows.map(({ id, score, contributions, ...columns }) => ({
    id,
    score,
    contributions,
    fields: Object.fromEntries(shown.map(({ name }, index) => [name, columns[`f${index}`] ?? null])),
  }));
}

/** How a search finds its rows: see `medley.explain_search`. */
export interface SearchPlan {
  readonly method: "exact" | "paths";
  /** What is read of which index; `all spaces` is the one over the fused vectors. */
  readonly paths: readonly { readonly path: string; readonly kind: string; readonly depth: number }[];
  /** Null: not learned, see `analyzeSearch`. */
  readonly estimatedRecall: number | null;
  readonly estimatedMs: number;
  readonly rows: number;
  readonly passingRows: number;
  readonly learned: boolean;
}

/** Without searching. Throws as `search` does. */
export async function explainSearch(pool: pg.Pool, asked: Search): Promise<SearchPlan> {
  const { call, values } = callOf("explain_search", asked);
  const text = `select method, paths, estimated_recall as "estimatedRecall", estimated_ms as "estimatedMs", rows,
  passing_rows as "passingRows", learned from ${call}`;
  const query = () => pool.query<SearchPlan>(text, [...values]).catch((error) => refuse(pool, asked, error));
  const { rows } = await withRetry(query, askedMsMax);
  return rows[0] as SearchPlan;
}

/** The call of a function that takes what `medley.search` does. */
function callOf(
  name: "search" | "explain_search",
  asked: Search,
): { call: string; values: readonly unknown[] } {
  checkFor(asked);
  const at = "coalesce(to_timestamp($5::float8 / 1000), now())";
  const query =
    asked.for === undefined
      ? `medley.query($1, $2::jsonb, $3::jsonb, $4, ${at})`
      : `medley.query_for($1, $4, $2::jsonb, $3::jsonb, ${at})`;
  const filter = asked.excludeSeen ? "medley_internal.unseen_filter($7::jsonb, $4)" : "$7::jsonb";
  const values = [
    asked.collection,
    JSON.stringify(plainParts(asked.parts ?? {})),
    asked.weights === undefined ? null : JSON.stringify(asked.weights),
    asked.for ?? asked.like ?? null,
    asked.atMs ?? null,
    asked.k ?? 10,
    asked.filter === undefined ? null : JSON.stringify(asked.filter),
    asked.recall ?? recallDefault,
    ...(asked.generation === undefined ? [] : [asked.generation]),
  ];
  // First, so that parts of another length are not what is complained of.
  const of = asked.generation === undefined ? "$1" : "medley_internal.of_generation($1, $9::int)";
  return { call: `medley.${name}(${of}, ${query}, $6::int, ${filter}, $8::float8)`, values };
}

function checkFor(asked: Search): void {
  if (asked.for !== undefined && asked.like !== undefined) {
    throw new MedleyError("query_invalid", `"for" and "like" both stand in for the parts not given`, {
      mend: "leave one of them out",
    });
  }
  if (asked.excludeSeen && asked.for === undefined) {
    throw new MedleyError("query_invalid", '"excludeSeen" needs a user', { mend: 'name one with "for"' });
  }
}

interface HitRow {
  id: string;
  score: number;
  contributions: Record<string, number>;
  [column: `f${number}`]: RecordFields[string];
}

function plainParts(parts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(parts).map(([space, part]) => [
      space,
      part instanceof Float32Array ? Array.from(part) : part,
    ]),
  );
}

/** The functions say what is wrong with a search by SQLSTATE, and the mend as the hint. */
async function refuse(pool: pg.Pool, asked: Search, error: unknown): Promise<never> {
  if (!(error instanceof pg.DatabaseError)) throw error;
  // The view has the live generation's fields: those of another are not there.
  if (error.code === "42703" && asked.generation !== undefined) {
    await pool
      .query("select medley_internal.of_generation($1, $2::int)", [asked.collection, asked.generation])
      .catch((gone: pg.DatabaseError) => throwRefusal(gone));
  }
  throwRefusal(error);
}

function throwRefusal(error: pg.DatabaseError): never {
  const code = refusalOf(error.code ?? "");
  if (code === null) throw error;
  throw new MedleyError(code, error.message, {
    cause: error,
    ...(error.hint === undefined ? {} : { mend: error.hint }),
  });
}

function refusalOf(state: string): ErrorCode | null {
  if (state === "P0002") return "not_found";
  if (state === "55000") return "generation_gone";
  return state.startsWith("22") ? "query_invalid" : null;
}
