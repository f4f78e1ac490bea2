-- Search: candidates by the inner product of half-precision vectors, then scored exactly, space by space. Rows are read through
-- the collection's view, so that a role needs no right to its table.

create or replace function medley.search(
  collection text, query vector, k int default 10, filter jsonb default null, recall float8 default 0.95
)
returns table (id text, score float8, contributions jsonb)
language plpgsql stable set search_path from current as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(collection);
  contributions_sql text;
  sum_sql text;
begin
  perform medley_internal.check_query(found_row, query);
  perform medley_internal.check_limits(k, recall);
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
     from medley_internal.candidates($1, $2, $5, $4, $6, $3) as candidate,
       lateral (select %s offset 0) as part
     order by 2 desc, 1 limit $5', sum_sql, contributions_sql)
    using found_row, query, filter, k + greatest(10, k / 2), k, recall;
end $$;

comment on function medley.search(text, vector, int, jsonb, float8) is
$$The k rows with the highest score: the sum over spaces of weight x cosine, each part in `contributions`. Equal scores come in order of id.
  select f.title, s.score, s.contributions
  from medley.search('films', medley.query('films', '{"year": 1999}'), 5, '{"genres": {"any": ["Comedy"]}}') s
  join medley.films f using (id) order by s.score desc;$$;

create or replace function medley_internal.check_query(found_row medley_internal.collections, query vector)
returns void language plpgsql stable parallel safe as $$
begin
  if query is null or vector_dims(query) <> found_row.dimensions then
    raise exception 'a query of collection "%" has % dimensions, not %', found_row.name, found_row.dimensions,
      coalesce(vector_dims(query)::text, 'null') using errcode = '22023',
      hint = format('make it with medley.query(%L, ...)', found_row.name);
  end if;
end $$;

create or replace function medley_internal.check_limits(k int, recall float8)
returns void language plpgsql immutable parallel safe as $$
begin
  if k is null or k < 1 or k > 1000 then
    raise exception 'k is %', k using errcode = '22023', hint = 'pass a number from 1 to 1000';
  elsif recall is null or not recall between 0 and 1 then
    raise exception 'recall is %', recall using errcode = '22023',
      hint = 'pass the share of the best that is to be found, 0 to 1; 1 scans exactly';
  end if;
end $$;

-- At least the `wanted` best rows that pass the filter, in any order, k of which are asked for.
create or replace function medley_internal.candidates(
  found_row medley_internal.collections, query vector, k int, wanted int, recall float8, filter jsonb
)
returns table (id text, embedding vector) language plpgsql stable as $$
declare
  condition text := medley_internal.filter_condition(found_row, filter);
  plan jsonb := medley_internal.plan_search(found_row, query, k, recall, condition, filter);
  -- The order is the same; no weight is too large or too small for half precision.
  direction halfvec := l2_normalize(query)::halfvec;
  ids text[];
begin
  if plan ->> 'method' = 'paths' then
    ids := medley_internal.united_candidates(found_row, plan -> 'paths', query, direction, k, wanted, condition, filter);
    -- Fewer: the filter is so selective that an index gave up, or there are no more.
    if cardinality(ids) >= k then
      return query execute format('select id, embedding::vector from medley_internal.%I where id = any ($1)', medley_internal.rows_view(found_row))
        using ids;
      return;
    end if;
  end if;
  return query execute format(
    'select id, embedding::vector from medley_internal.%I as row where %s order by %s, id limit $2', medley_internal.rows_view(found_row), condition,
    case
      -- The embedded engine has no instructions for half precision: single precision is 1.6 times as fast.
      when version() like '%PGlite%' then 'embedding::vector <#> $4'
      -- `+ 0` keeps the index out.
      else '(embedding <#> $1) + 0'
    end
  ) using direction, wanted, filter, query;
end $$;

-- The best of what the paths give, by the distance of the fused vectors. The index over all spaces should have k as good as the best k:
-- where it has not, a path of a space has one that it has missed, and it may have missed more: all are read deeper.
create or replace function medley_internal.united_candidates(
  found_row medley_internal.collections, paths jsonb, query vector, direction halfvec, k int, wanted int, condition text, filter jsonb
)
returns text[] language plpgsql stable as $$
declare
  path jsonb;
  more record;
  ids text[] := '{}';
  distances float8[] := '{}';
  fused_distances float8[];
  best text[];
  best_distances float8[];
begin
  for round in 1..2 loop
    for path in select jsonb_array_elements(paths) loop
      if round = 2 then path := path || jsonb_build_object('depth', path -> 'deeper'); end if;
      -- A space of weight 0 has no best rows.
      continue when path -> 'depth' = 'null' or vector_norm(subvector(query, (path ->> 'start')::int, (path ->> 'dimensions')::int)) = 0;
      more := medley_internal.path_candidates(found_row, path, query, direction, wanted, condition, filter);
      if path ->> 'kind' = 'fused' then fused_distances := coalesce(more.distances, '{}'); end if;
      ids := ids || more.ids;
      distances := distances || more.distances;
    end loop;
    select array_agg(united.id), array_agg(united.distance) into best, best_distances
    from (
      select found.id collate "C" as id, min(found.distance) as distance from unnest(ids, distances) as found (id, distance)
      group by 1 order by 2, 1 limit wanted
    ) as united;
    -- Fewer than k: a scan follows.
    exit when fused_distances is null or best_distances[k] is null
      or fused_distances[k] <= best_distances[k] + 1e-6;
  end loop;
  return best;
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
