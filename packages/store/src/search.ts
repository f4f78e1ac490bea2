import {
  type Collection,
  type ErrorCode,
  type HitPlace,
  labelColumnsOf,
  MedleyError,
  type RecordFields,
  type SearchQuery,
} from "@medley/core";
import pg from "pg";
import { askedMsMax, withRetry } from "./retry.ts";
import { jsonExpression } from "./rows/columns.ts";

const { escapeIdentifier } = pg;

/** A search of a collection's rows; its parts are as `medley.encode_part` takes them, for text a segment (`Float32Array`). */
export interface Search extends Omit<SearchQuery, "class" | "after"> {
  readonly collection: string;
  /** Refused unless it is the live one. Default: whichever is live. */
  readonly generation?: number;
  /** Only hits behind this one; the 10,000th is the last. */
  readonly after?: HitPlace;
  /** What *now* is for recency; the database's clock where not given. */
  readonly atMs?: number;
}

const recallDefault = 0.95;

/** Its score is the sum of the contributions. */
export interface Hit extends HitPlace {
  /** By space weight x cosine, by text weight x how well its words match. */
  readonly contributions: Readonly<Record<string, number>>;
  /** With the label and its probability (`SPACE_label`, `SPACE_probability`) of every space that is tuned. */
  readonly fields: RecordFields;
}

/**
 * Best first, equal scores in order of id, but where hits are to differ: `medley.search` over `medley.query` or `medley.query_for`, with the rows' fields. Throws
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
  const text = `select hit.id, hit.score, hit.contributions, hit.place${expressions.join("")}
from ${call} as hit join medley.${escapeIdentifier(collection.name)} as row using (id)
order by hit.place`;
  const { rows } = await withRetry(
    () => pool.query<HitRow>(text, [...values]).catch((error) => refuse(pool, asked, error)),
    askedMsMax,
  );
  return rows.map(({ id, score, contributions, place, ...columns }) => ({
    id,
    score,
    contributions,
    place,
    fields: Object.fromEntries(shown.map(({ name }, index) => [name, columns[`f${index}`] ?? null])),
  }));
}

/** How a search finds its rows: see `medley.explain_search`. */
export interface SearchPlan {
  readonly method: "exact" | "paths";
  /** What is read of which index; `all spaces` is the one over the fused vectors. Of kind `words`: a text, and the rows that match, as estimated. */
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

/** The call of a function, `medley.search` or one that tells of it, and its parameters. */
function callOf(
  name: "search" | "explain_search",
  asked: Search,
): { call: string; values: readonly unknown[] } {
  checkStandIns(asked);
  const values: unknown[] = [];
  const value = (type: string, given: unknown) => `$${values.push(given ?? null)}::${type}`;
  const json = (given: object | undefined) => value("jsonb", given && JSON.stringify(given));
  const collection = value("text", asked.collection);
  const user = asked.for === undefined ? null : value("text", asked.for);
  const said = `${json(plainParts(asked.parts ?? {}))}, ${json(asked.weights)}`;
  const at = `at => coalesce(to_timestamp(${value("float8", asked.atMs)} / 1000), now())`;
  const texts = json(asked.texts);
  // Beside texts a query may say nothing.
  const query = Object.keys(asked.texts ?? {}).length === 0 ? "medley.query" : "medley_internal.said_query";
  const asks =
    user === null
      ? `${query}(${collection}, ${said}, ${at}, likes => ${value("text[]", idsOf(asked.like))}, unlikes => ${value("text[]", idsOf(asked.unlike))})`
      : `${query}_for(${collection}, ${user}, ${said}, ${at})`;
  const filter = asked.excludeSeen
    ? `medley_internal.unseen_filter(${json(asked.filter)}, ${user})`
    : json(asked.filter);
  const after = asked.after && { id: asked.after.id, score: asked.after.score, place: asked.after.place };
  const k = value("int", asked.k ?? 10);
  const recall = value("float8", asked.recall ?? recallDefault);
  const extras = `${value("float8", asked.diversity)}, ${json(asked.perGroup)}, ${json(after)}`;
  // Looked at first, so that parts of another length are not what is complained of.
  const of =
    asked.generation === undefined
      ? collection
      : `medley_internal.of_generation(${collection}, ${value("int", asked.generation)})`;
  const call = {
    search: () =>
      `medley.search(${of}, ${asks}, ${k}, ${filter}, ${recall}, ${value("float8", asked.scoreMin)}, ${extras}, ${texts})`,
    explain_search: () => {
      const depth = `medley_internal.search_depth(${k}, ${extras})`;
      // Deeper than indexes are read, all rows are scored.
      return `medley.explain_search(${of}, ${asks}, least(${depth}, 1000), ${filter}, case when ${depth} > 1000 then 1 else ${recall} end, ${texts})`;
    },
  }[name]();
  return { call, values };
}

function idsOf(ids: string | readonly string[] | undefined): readonly string[] {
  return typeof ids === "string" ? [ids] : (ids ?? []);
}

function checkStandIns(asked: Search): void {
  if (asked.for !== undefined && (asked.like !== undefined || asked.unlike !== undefined)) {
    const other = asked.like === undefined ? "unlike" : "like";
    throw new MedleyError("query_invalid", `"for" and "${other}" both stand in for the parts not given`, {
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
  place: number;
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
