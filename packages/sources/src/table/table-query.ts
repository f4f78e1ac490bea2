import pg from "pg";
import { conditionSql, type TablePlan } from "./table-plan.ts";
import type { TableColumn } from "./table-shape.ts";

const { escapeIdentifier } = pg;

export interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

/** A place between two rows: the parts of a key, as text. */
export type Key = readonly string[];

/** Rows after `after` up to and with `through`, in the order of the key; null: from the first, to the last. */
export interface KeyRange {
  readonly after: Key | null;
  readonly through: Key | null;
}

export interface PageLimits {
  readonly rowsMax: number;
  /** Of the values of the rows together, as they are stored unpacked; one row is always read. */
  readonly bytesMax: number;
}

/** Collects parameters while a statement is written. */
class Parameters {
  readonly values: unknown[] = [];

  add(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}

/** Columns: the key's parts, `present` ("true"), the version or null, then `plan.selected`. */
export const selectedFrom = (plan: TablePlan) => plan.key.length + 2;

/**
 * A page in the order of the key, cut where it would be over `bytesMax`. One statement, so one snapshot; the row
 * comparison is one range of the key's index.
 */
export function pageStatement(plan: TablePlan, range: KeyRange, limits: PageLimits): Statement {
  const parameters = new Parameters();
  const rows = `select ${innerColumns(plan)} from ${plan.table} as t ${rangeSql(plan, range, parameters)}
    order by ${keyList(plan, "t")} limit ${parameters.add(limits.rowsMax, "int8")}`;
  return measured(plan, { rows, order: keyAliases(plan), present: "'true'" }, limits, parameters);
}

/** The rows of these keys: `present` is "false" where there is none, or none that the conditions let through. */
export function lookupStatement(plan: TablePlan, keys: readonly Key[], limits: PageLimits): Statement {
  const parameters = new Parameters();
  const lists = plan.key.map((_, part) =>
    parameters.add(
      keys.map((key) => key[part]),
      "text[]",
    ),
  );
  const wanted = plan.key.map((_, part) => `w${part}`);
  const matches = plan.key.map(
    ({ name, type }, part) => `t.${escapeIdentifier(name)} operator(pg_catalog.=) wanted.w${part}::${type}`,
  );
  const conditions = conditionSql(plan, "t", (value, { type }) => parameters.add(String(value), type));
  const on = [...matches, ...(conditions === "" ? [] : [conditions])].join(" and ");
  const rows = `select ${innerColumns(plan)}, wanted.place, ${wanted.map((name) => `wanted.${name}`).join(", ")}
    from rows from (${lists.map((list) => `pg_catalog.unnest(${list})`).join(", ")}) with ordinality as wanted (${wanted.join(", ")}, place)
    left join ${plan.table} as t on ${on}`;
  const present = `(m.k0 is not null)::pg_catalog.text`;
  return measured(plan, { rows, order: "m.place", present, keys: wanted }, limits, parameters);
}

/** Only the keys of a page: what is read where a value of some row can't be. */
export function keysStatement(plan: TablePlan, range: KeyRange, rowsMax: number): Statement {
  const parameters = new Parameters();
  const keys = plan.key.map(({ name }) => `t.${escapeIdentifier(name)}::pg_catalog.text`).join(", ");
  const text = `select ${keys} from ${plan.table} as t ${rangeSql(plan, range, parameters)}
order by ${keyList(plan, "t")} limit ${parameters.add(rowsMax, "int8")}`;
  return { text, values: parameters.values };
}

/** What the planner expects: right after `analyze`, and no pass of its own over the table. */
export function estimateStatement(plan: TablePlan): Statement {
  const parameters = new Parameters();
  const range = rangeSql(plan, { after: null, through: null }, parameters);
  return {
    text: `explain (format json) select 1 from ${plan.table} as t ${range}`,
    values: parameters.values,
  };
}

interface Rows {
  readonly rows: string;
  readonly order: string;
  readonly present: string;
  /** Aliases of the key's parts where they do not come from the row. */
  readonly keys?: readonly string[];
}

function measured(
  plan: TablePlan,
  { rows, order, present, keys }: Rows,
  { bytesMax }: PageLimits,
  parameters: Parameters,
): Statement {
  const version = plan.version === null ? "null" : "m.v::pg_catalog.text";
  const outputs = [
    ...(keys ?? plan.key.map((_, part) => `k${part}`)).map((key) => `m.${key}::pg_catalog.text`),
    present,
    version,
    ...plan.selected.map(({ reader }, at) => reader.sql(`m.c${at}`)),
  ];
  const text = `select ${outputs.join(", ")} from (
  select m.*, pg_catalog.sum(m.size) over (order by ${order} rows unbounded preceding) as bytes,
    pg_catalog.row_number() over (order by ${order}) as nth
  from (${rows}) as m
) as m where m.nth = 1 or m.bytes <= ${parameters.add(bytesMax, "int8")} order by m.nth`;
  return { text, values: parameters.values };
}

/** Raw columns: large values stay where they are stored until a row is known to be read. */
function innerColumns(plan: TablePlan): string {
  const sizes = plan.selected.map(({ column }) => sizeSql(column));
  return [
    ...plan.key.map(({ name }, part) => `t.${escapeIdentifier(name)} as k${part}`),
    ...(plan.version === null ? [] : [`t.${escapeIdentifier(plan.version.name)} as v`]),
    ...plan.selected.map(({ column }, at) => `t.${escapeIdentifier(column.name)} as c${at}`),
    `${["0::pg_catalog.int8", ...sizes].join(" + ")} as size`,
  ].join(", ");
}

/** Unpacked bytes without unpacking: of text and bytea Postgres knows them; of others, as they are stored. */
function sizeSql({ name, kind, isArray, type }: TableColumn): string {
  const column = `t.${escapeIdentifier(name)}`;
  const hasLength =
    !isArray && (kind === "bytea" || type === `"pg_catalog"."text"` || type === `"pg_catalog"."varchar"`);
  return `coalesce(pg_catalog.${hasLength ? "octet_length" : "pg_column_size"}(${column}), 0)`;
}

function rangeSql(plan: TablePlan, { after, through }: KeyRange, parameters: Parameters): string {
  const bound = (key: Key, operator: string) => {
    const parts = plan.key.map(({ type }, part) => parameters.add(key[part], type));
    return `row(${keyList(plan, "t")}) operator(pg_catalog.${operator}) row(${parts.join(", ")})`;
  };
  const conditions = conditionSql(plan, "t", (value, { type }) => parameters.add(String(value), type));
  const all = [
    ...(after === null ? [] : [bound(after, ">")]),
    ...(through === null ? [] : [bound(through, "<=")]),
    ...(conditions === "" ? [] : [conditions]),
  ];
  return all.length === 0 ? "" : `where ${all.join(" and ")}`;
}

function keyList(plan: TablePlan, row: string): string {
  return plan.key.map(({ name }) => `${row}.${escapeIdentifier(name)}`).join(", ");
}

function keyAliases(plan: TablePlan): string {
  return plan.key.map((_, part) => `m.k${part}`).join(", ");
}
