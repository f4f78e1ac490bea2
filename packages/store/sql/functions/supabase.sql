-- Search as clients of Supabase call it: `medley.match_COLLECTION`, made by `medley migrate` for every collection, has the parameters and
-- columns of Supabase's `match_documents`, and those that LangChain's SupabaseVectorStore sends and reads. It calls what is here.

-- `query_embedding` is a whole query, as medley.query gives it, or the segment of one space, as its encoder does. `similarity` is the
-- mean of the spaces' cosines by their weights in the query, from -1 to 1: of one space the cosine. `content` is what the first space of
-- texts reads, `embedding` what the query is compared with.
create or replace function medley_internal.match_rows(
  collection text, query_embedding vector, match_threshold float8, match_count int, filter jsonb
)
returns table (id text, content text, metadata jsonb, embedding jsonb, similarity float8)
language plpgsql stable as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(collection);
  space text := medley_internal.matched_space(found_row, query_embedding);
  query vector := case
    when space is null then query_embedding
    else medley_internal.fused_query(found_row, jsonb_build_object(space, query_embedding::real[]), (
      select jsonb_object_agg(name, (name = space)::int) from medley_internal.segments(found_row)
    ), null, now())
  end;
  weights float8 := (
    select sum(vector_norm(subvector(query, start, dimensions))) from medley_internal.segments(found_row)
  );
begin
  if weights = 0 then
    raise exception 'the query embedding is all zero' using errcode = '22023', hint = 'pass one that says something';
  end if;
  return query execute format(
    'select hit.id, %s, to_jsonb(row) - array[''id'', ''version'', ''indexed_at'', ''embedding''], (%s)::text::jsonb, hit.score / $4
     from medley.search($1, $2, $3, $5) as hit join medley.%I as row using (id)
     where $6 is null or hit.score / $4 > $6 order by hit.score desc, hit.id',
    medley_internal.content_expression(found_row),
    case when space is null then 'row.embedding' else format('medley.segment(row.embedding, $1, %L)', space) end,
    collection
  ) using collection, query, match_count, weights, filter, match_threshold;
end $$;

-- The space whose segment this is; null where it is a query of all of them.
create or replace function medley_internal.matched_space(found_row medley_internal.collections, query_embedding vector)
returns text language plpgsql stable parallel safe as $$
declare
  wanted int := vector_dims(query_embedding);
  fitting text[] := array(select name from medley_internal.segments(found_row) where dimensions = wanted);
begin
  if wanted = found_row.dimensions then return null; end if;
  if cardinality(fitting) = 1 then return fitting[1]; end if;
  raise exception 'the query embedding has % dimensions, which fits % spaces of collection "%"',
    coalesce(wanted::text, 'no'), cardinality(fitting), found_row.name
    using errcode = '22023', hint = format('pass all %s, made by medley.query, or those of one of %s', found_row.dimensions, (
      select string_agg(format('%s (%s)', name, dimensions), ', ' order by start) from medley_internal.segments(found_row)
    ));
end $$;

-- What the first space of texts reads of a row, in SQL; null where there is none.
create or replace function medley_internal.content_expression(found_row medley_internal.collections)
returns text language sql stable parallel safe
begin atomic
  select coalesce((
    select format('nullif(concat_ws(E''\n'', %s), '''')', string_agg(format('row.%I', field), ', ' order by place))
    from (
      select space from jsonb_array_elements(found_row.spaces) with ordinality as spaces(space, position)
      where space ->> 'encoder' in ('text', 'remote', 'words') order by position limit 1
    ) as first_space, lateral jsonb_array_elements_text(
      case jsonb_typeof(space -> 'field') when 'array' then space -> 'field' else jsonb_build_array(space -> 'field') end
    ) with ordinality as read_fields(field, place)
    group by space
  ), 'null::text');
end;
