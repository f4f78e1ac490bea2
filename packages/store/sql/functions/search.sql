-- Search: candidates by the inner product of half-precision vectors, then scored exactly, space by space. Rows are read through
-- the collection's view, so that a role needs no right to its table.

create or replace function medley.search(collection text, query vector, k int default 10, filter jsonb default null)
returns table (id text, score float8, contributions jsonb)
language plpgsql stable parallel safe set search_path from current as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(collection);
  contributions_sql text;
  sum_sql text;
begin
  perform medley_internal.check_query(found_row, query);
  if k is null or k < 1 or k > 1000 then
    raise exception 'k is %', k using errcode = '22023', hint = 'pass a number from 1 to 1000';
  end if;
  select
    string_agg(
      format('inner_product(subvector(embedding, %1$s, %2$s), subvector($2, %1$s, %2$s)) as %3$I', start, dimensions, name),
      ', ' order by start
    ),
    string_agg(format('part.%I', name), ' + ' order by start)
  into contributions_sql, sum_sql
  from medley_internal.segments(found_row);
  return query execute format(
    'select candidate.id, %s, to_jsonb(part)
     from medley_internal.candidates($1, $2, $4, $3) as candidate,
       lateral (select %s offset 0) as part
     order by 2 desc, 1 limit $5', sum_sql, contributions_sql)
    using found_row, query, filter, k + greatest(10, k / 2), k;
end $$;

comment on function medley.search(text, vector, int, jsonb) is
$$The k rows with the highest score: the sum over spaces of weight x cosine, each part in `contributions`. Equal scores come in order of id.
  select f.title, s.score, s.contributions
  from medley.search('films', medley.query('films', '{"year": 1999}'), 5, '{"genres": {"any": ["Comedy"]}}') s
  join medley.films f using (id) order by s.score desc;$$;

-- Of a collection's spaces: where each segment starts, from 1.
create or replace function medley_internal.segments(found_row medley_internal.collections)
returns table (name text, start int, dimensions int) language sql stable parallel safe
begin atomic
  select space ->> 'name', (space ->> 'offset')::int + 1, (space ->> 'dimensions')::int
  from jsonb_array_elements(found_row.spaces) as space;
end;

create or replace function medley_internal.check_query(found_row medley_internal.collections, query vector)
returns void language plpgsql stable parallel safe as $$
begin
  if query is null or vector_dims(query) <> found_row.dimensions then
    raise exception 'a query of collection "%" has % dimensions, not %', found_row.name, found_row.dimensions,
      coalesce(vector_dims(query)::text, 'null') using errcode = '22023',
      hint = format('make it with medley.query(%L, ...)', found_row.name);
  end if;
end $$;

-- The planner of a search: at least the `wanted` best rows that pass the filter, in any order. Chooses between an exact
-- scan, which is never wrong, and the index over the fused vector, which is faster on many rows and misses few of the
-- best where all spaces count (recall@10 .95 at weights 5:1, but .25 to .69 for one space alone).
create or replace function medley_internal.candidates(
  found_row medley_internal.collections, query vector, wanted int, filter jsonb
)
returns table (id text, embedding vector) language plpgsql stable parallel safe as $$
declare
  condition text := medley_internal.filter_condition(found_row, filter);
  -- The order is the same; no weight is too large or too small for half precision.
  direction halfvec := l2_normalize(query)::halfvec;
  ids text[];
begin
  if to_regclass(format('medley_internal.%I', found_row.live_table || '_hnsw')) is not null
    and medley_internal.is_even(found_row, query)
  then
    ids := medley_internal.index_candidates(found_row, direction, wanted, condition, filter);
    -- Fewer: the filter is so selective that the index gave up.
    if cardinality(ids) = wanted then
      return query execute format('select id, embedding::vector from medley.%I where id = any ($1)', found_row.name)
        using ids;
      return;
    end if;
  end if;
  return query execute format(
    'select id, embedding::vector from medley.%I as row where %s order by %s, id limit $2', found_row.name, condition,
    case
      -- The embedded engine has no instructions for half precision: single precision is 1.6 times as fast.
      when version() like '%PGlite%' then 'embedding::vector <#> $4'
      -- `+ 0` keeps the index out.
      else '(embedding <#> $1) + 0'
    end
  ) using direction, wanted, filter, query;
end $$;

create or replace function medley_internal.index_candidates(
  found_row medley_internal.collections, direction halfvec, wanted int, condition text, filter jsonb
)
returns text[] language plpgsql stable parallel safe
set hnsw.ef_search = 200 set hnsw.iterative_scan = relaxed_order as $$
declare
  ids text[];
begin
  execute format(
    'select array_agg(id) from (
       select id from medley.%I as row where %s order by embedding <#> $1 limit $2
     ) as nearest', found_row.name, condition
  ) into ids using direction, wanted, filter;
  return coalesce(ids, '{}');
end $$;

-- Whether every space takes part, none five times as much as another.
create or replace function medley_internal.is_even(found_row medley_internal.collections, query vector)
returns boolean language plpgsql stable parallel safe as $$
begin
  return (
    select min(length) >= max(length) / 5
    from medley_internal.segments(found_row), lateral vector_norm(subvector(query, start, dimensions)) as length
  );
end $$;

create or replace function medley.explain(collection text, id text, query vector)
returns table (space text, weight float8, contribution float8)
language plpgsql stable parallel safe set search_path from current as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(collection);
  embedding vector := medley_internal.embedding_of(found_row, id);
begin
  perform medley_internal.check_query(found_row, query);
  return query
    select name, vector_norm(subvector(query, start, dimensions)),
      inner_product(subvector(embedding, start, dimensions), subvector(query, start, dimensions))
    from medley_internal.segments(found_row) order by start;
end $$;
comment on function medley.explain(text, text, vector) is
$$What each space adds to a row's score; `weight` is the size of the space's weight in the query, without its sign.
  select * from medley.explain('films', 'tt0111161', medley.query('films', '{"year": 1999}'));$$;

create or replace function medley.segment(embedding halfvec, collection text, space text)
returns vector language plpgsql stable strict parallel safe set search_path from current as $$
declare
  entry jsonb := medley_internal.space_of(medley_internal.collection_of(collection), space);
begin
  return subvector(embedding, (entry ->> 'offset')::int + 1, (entry ->> 'dimensions')::int)::vector;
end $$;
comment on function medley.segment(halfvec, text, text) is
$$The part of a row's vector that belongs to a space: of length 1, or all zero where the row has no value.
  select title, medley.segment(embedding, 'films', 'genres') from medley.films limit 3;$$;

create or replace function medley.score(embedding halfvec, query vector)
returns float8 language sql immutable strict parallel safe
return inner_product(embedding::vector, query);
comment on function medley.score(halfvec, vector) is
$$The exact score of a row, for SQL of your own. Order by the operator itself where an index is to be used:
  select f.title, medley.score(f.embedding, q) from medley.films f, medley.query('films', '{"year": 1999}') q
  where f.year > 1990 order by f.embedding <#> q::halfvec limit 10;$$;
