import { type Collection, canonicalJson, type FullText, MedleyError } from "@medley/core";
import pg from "pg";

const { escapeIdentifier, escapeLiteral } = pg;

/** Of a text's words in the table of rows: a name that no field has. */
export function textColumn({ name }: Pick<FullText, "name">): string {
  return `_text_${name}`;
}

/** As in `create table`; see sql/functions/texts.sql. */
export function textColumnSql(text: FullText): string {
  const language = text.language.includes(".") ? text.language : `pg_catalog.${text.language}`;
  const words = text.fields.map(({ field, label }) => {
    const vector = `to_tsvector(${escapeLiteral(language)}::regconfig, coalesce(${escapeIdentifier(field)}, ''))`;
    return `setweight(${vector}, '${label}')`;
  });
  return `${escapeIdentifier(textColumn(text))} tsvector generated always as (${words.join(" || ")}) stored`;
}

/** What brings the texts of a table of rows to those configured. One of other fields or another language is made anew. */
export interface TextChanges {
  readonly dropped: readonly FullText[];
  readonly added: readonly FullText[];
}

export function textChanges(stored: readonly FullText[], configured: readonly FullText[]): TextChanges {
  const isAmong = (texts: readonly FullText[]) => (text: FullText) =>
    texts.some((one) => canonicalJson({ ...one, weight: 1 }) === canonicalJson({ ...text, weight: 1 }));
  return {
    dropped: stored.filter((text) => !isAmong(configured)(text)),
    added: configured.filter((text) => !isAmong(stored)(text)),
  };
}

/** Throws `MedleyError` `config_invalid` for a language that this Postgres does not have. */
export async function requireLanguages(
  database: Pick<pg.Pool | pg.PoolClient, "query">,
  collections: readonly Pick<Collection, "name" | "texts">[],
): Promise<void> {
  if (collections.every(({ texts }) => texts.length === 0)) return;
  const { rows } = await database.query<{ name: string }>(
    `select case nspname when 'pg_catalog' then '' else nspname || '.' end || cfgname as name
from pg_ts_config join pg_namespace on pg_namespace.oid = cfgnamespace order by 1`,
  );
  const known = rows.map(({ name }) => name);
  for (const { name, texts } of collections) {
    const text = texts.find(({ language }) => !known.includes(language));
    if (text === undefined) continue;
    throw new MedleyError(
      "config_invalid",
      `collection "${name}", text "${text.name}": this Postgres has no language "${text.language}"`,
      { mend: `known: ${known.join(", ")}` },
    );
  }
}
