import type pg from "pg";

const schemas = ["medley", "medley_internal", "bullmq"];

/** What another tool could change of Medley's: each a query whose rows are compared. */
const queries: Readonly<Record<string, string>> = {
  schemas:
    "select nspname, nspowner::regrole::text as owner, nspacl::text from pg_namespace where nspname = any ($1)",
  extensions: "select extname, extversion, extnamespace::regnamespace::text from pg_extension",
  relations: `select nspname, relname, relkind, relowner::regrole::text as owner, reloptions, relacl::text, relpersistence, relfilenode
from pg_class join pg_namespace on pg_namespace.oid = relnamespace where nspname = any ($1)`,
  columns: `select attrelid::regclass::text as relation, attnum, attname, format_type(atttypid, atttypmod) as type, attnotnull,
  attisdropped, attstorage, attidentity, pg_get_expr(adbin, adrelid) as fallback
from pg_attribute join pg_class on pg_class.oid = attrelid join pg_namespace on pg_namespace.oid = relnamespace
left join pg_attrdef on adrelid = attrelid and adnum = attnum where nspname = any ($1) and attnum > 0`,
  indexes: `select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition, indisvalid
from pg_index join pg_class on pg_class.oid = indrelid join pg_namespace on pg_namespace.oid = relnamespace where nspname = any ($1)`,
  constraints: `select conname, conrelid::regclass::text as relation, pg_get_constraintdef(pg_constraint.oid) as definition
from pg_constraint join pg_namespace on pg_namespace.oid = connamespace where nspname = any ($1)`,
  triggers: `select tgname, pg_get_triggerdef(pg_trigger.oid) as definition from pg_trigger join pg_class on pg_class.oid = tgrelid
join pg_namespace on pg_namespace.oid = relnamespace where nspname = any ($1)`,
  views: `select viewname, definition from pg_views where schemaname = any ($1)`,
  functions: `select pg_proc.oid::regprocedure::text as name, pg_get_functiondef(pg_proc.oid) as definition, proacl::text
from pg_proc join pg_namespace on pg_namespace.oid = pronamespace where nspname = any ($1)`,
  types: `select typname, typtype, array(select enumlabel from pg_enum where enumtypid = pg_type.oid order by enumsortorder)::text as labels
from pg_type join pg_namespace on pg_namespace.oid = typnamespace where nspname = any ($1)`,
};

/** Everything in Medley's schemas, their rows included, as text that is equal when nothing has changed. */
export async function readCatalogueSnapshot(
  pool: pg.Pool,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const snapshot: Record<string, readonly string[]> = {};
  for (const [name, sql] of Object.entries(queries)) {
    const { rows } = await pool.query(sql, sql.includes("$1") ? [schemas] : []);
    snapshot[name] = rows.map((row) => JSON.stringify(row)).sort();
  }
  const { rows: tables } = await pool.query<{ name: string }>(
    `select format('%I.%I', nspname, relname) as name from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where nspname = any ($1) and relkind = 'r' order by 1`,
    [schemas],
  );
  for (const { name } of tables) {
    const { rows } = await pool.query(
      `select count(*)::int as count, md5(string_agg(whole::text, '' order by whole::text)) as hash from ${name} as whole`,
    );
    snapshot[`rows of ${name}`] = [JSON.stringify(rows[0])];
  }
  return snapshot;
}
