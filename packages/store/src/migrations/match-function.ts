import pg from "pg";

const { escapeIdentifier, escapeLiteral } = pg;

/** A collection's function for clients of Supabase; what it does is in sql/functions/supabase.sql. */
export function matchFunction(collection: string): string {
  return `match_${collection}`;
}

export function matchFunctionSql(collection: string, vectorSchema: string): string {
  const name = `medley.${escapeIdentifier(matchFunction(collection))}`;
  return `create or replace function ${name}(
  query_embedding ${escapeIdentifier(vectorSchema)}.vector, match_threshold float8 default null, match_count int default 10,
  filter jsonb default '{}'
)
returns table (id text, content text, metadata jsonb, embedding jsonb, similarity float8)
language sql stable set search_path from current as $$
  select * from medley_internal.match_rows(${escapeLiteral(collection)}, query_embedding, match_threshold, match_count, filter);
$$;
comment on function ${name} is
$$Supabase's match_documents for this collection: by a query of medley.query, or by a segment of one of its spaces.$$;`;
}
