import { MedleyError } from "@medley/core";
import pg from "pg";
import { queryText } from "./table-database.ts";

const { escapeIdentifier } = pg;

/** What a column's values are; of a domain, what it is over. */
export type ColumnKind =
  | "text"
  | "uuid"
  | "enum"
  | "boolean"
  | "integer"
  | "numeric"
  | "float"
  | "date"
  | "timestamptz"
  | "timestamp"
  | "bytea"
  | "json"
  | "point"
  | "vector"
  | "other";

export interface TableColumn {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly isArray: boolean;
  /** Quoted, with its schema, without length or precision. */
  readonly type: string;
  readonly notNull: boolean;
  /** Whether the type is Postgres' own and equal values are the same bytes: only then may `=` tell a change. */
  readonly exact: boolean;
}

/** A table, or what else has rows, as the database describes it. */
export interface TableShape {
  readonly schema: string;
  readonly name: string;
  readonly oid: string;
  /** `table` (also one with partitions) can have triggers, `view` (also a materialized or foreign one) not. */
  readonly kind: "table" | "view";
  readonly columns: ReadonlyMap<string, TableColumn>;
  readonly primaryKey: readonly string[];
  /** Sets of columns that name at most one row. */
  readonly uniqueKeys: readonly (readonly string[])[];
}

export function quotedTable({ schema, name }: Pick<TableShape, "schema" | "name">): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
}

const relationSql = `select c.oid::text, c.relkind::text,
  pg_catalog.row_security_active(c.oid)::text,
  (c.relkind = 'r' and exists (select from pg_catalog.pg_inherits where inhparent = c.oid))::text
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')`;

// A domain is looked through to the type it is over.
const columnsSql = `with recursive resolved as (
  select a.attnum, a.attname, a.attnotnull, a.attcollation, t.*, t.oid as type_oid from pg_catalog.pg_attribute a
  join pg_catalog.pg_type t on t.oid = a.atttypid
  where a.attrelid = $1::pg_catalog.oid and a.attnum > 0 and not a.attisdropped
  union all
  select r.attnum, r.attname, r.attnotnull, r.attcollation, t.*, t.oid from resolved r
  join pg_catalog.pg_type t on t.oid = r.typbasetype
)
select r.attname::text, r.attnotnull::text, n.nspname::text, r.typname::text,
  coalesce(e.typname, r.typname)::text, coalesce(e.typtype, r.typtype)::text,
  (e.oid is not null)::text, coalesce(l.collisdeterministic, true)::text
from resolved r
join pg_catalog.pg_namespace n on n.oid = r.typnamespace
left join pg_catalog.pg_type e on e.oid = r.typelem and r.typcategory = 'A'
left join pg_catalog.pg_collation l on l.oid = r.attcollation
where r.typbasetype = 0 order by r.attnum`;

const uniqueSql = `select i.indisprimary::text, (
  select pg_catalog.json_agg(a.attname order by k.place)
  from unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where k.place <= i.indnkeyatts
)::text
from pg_catalog.pg_index i
where i.indrelid = $1::pg_catalog.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null`;

/** Throws `MedleyError` `source_mismatch` where there is no such table, or one that can't be read whole. */
export async function readTableShape(
  client: Pick<pg.Client, "query">,
  { schema, name }: { schema: string; name: string },
): Promise<TableShape> {
  const [relation] = await queryText(client, { text: relationSql, values: [schema, name] });
  const place = `${schema}.${name}`;
  if (relation === undefined) {
    throw new MedleyError("source_mismatch", `there is no table ${place}`, {
      mend: "check its name and schema, and that the address names the right database",
    });
  }
  const [oid, relkind, hiddenRows, hasChildren] = relation as string[];
  if (hiddenRows === "true") {
    throw new MedleyError("source_mismatch", `row-level security hides rows of ${place} from this role`, {
      mend: "let the role see all rows (alter role ... bypassrls): one that it can't see would count as deleted",
    });
  }
  if (hasChildren === "true") {
    throw new MedleyError("source_mismatch", `other tables inherit from ${place}`, {
      mend: "changes in them run none of its triggers; name each table as a source, or use partitions",
    });
  }
  const columns = await queryText(client, { text: columnsSql, values: [oid] });
  const unique = await queryText(client, { text: uniqueSql, values: [oid] });
  const keys = unique.map(([, names]) => JSON.parse(names as string) as string[]);
  return {
    schema,
    name,
    oid: oid as string,
    kind: relkind === "r" || relkind === "p" ? "table" : "view",
    columns: new Map(columns.map((row) => columnOf(row as string[])).map((column) => [column.name, column])),
    primaryKey: keys[unique.findIndex(([isPrimary]) => isPrimary === "true")] ?? [],
    uniqueKeys: keys,
  };
}

const kinds: Readonly<Record<string, ColumnKind>> = {
  text: "text",
  varchar: "text",
  bpchar: "text",
  citext: "text",
  name: "text",
  xml: "text",
  uuid: "uuid",
  bool: "boolean",
  int2: "integer",
  int4: "integer",
  int8: "integer",
  numeric: "numeric",
  float4: "float",
  float8: "float",
  date: "date",
  timestamptz: "timestamptz",
  timestamp: "timestamp",
  bytea: "bytea",
  json: "json",
  jsonb: "json",
  point: "point",
  vector: "vector",
  halfvec: "vector",
};
const exactKinds: readonly ColumnKind[] = [
  "uuid",
  "enum",
  "boolean",
  "integer",
  "float",
  "date",
  "timestamptz",
  "timestamp",
  "bytea",
];

function columnOf(row: string[]): TableColumn {
  const [name, notNull, typeSchema, typeName, elementName, elementType, isArray, isDeterministic] = row as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const kind = elementType === "e" ? "enum" : (kinds[elementName] ?? "other");
  const array = isArray === "true";
  const isPlainText = ["text", "varchar", "bpchar"].includes(typeName) && isDeterministic === "true";
  return {
    name,
    kind,
    isArray: array,
    type: `${escapeIdentifier(typeSchema)}.${escapeIdentifier(typeName)}`,
    notNull: notNull === "true",
    exact: isPlainText || (!array && exactKinds.includes(kind)),
  };
}
