-- Search: candidates by the inner product of half-precision vectors, then scored exactly, space by space. Rows are read through
-- the view of a generation's rows, so that a role needs no right to its table.

-- They have got other parameters or columns.
drop function if exists medley.search(text, vector, int, jsonb, float8);
drop function if exists medley.search(text, vector, int, jsonb, float8, float8, float8, jsonb, jsonb);
drop function if exists medley_internal.candidates(medley_internal.collections, vector, int, int, float8, jsonb);
drop function if exists medley.explain(text, text, vector);

create or replace function medley.search(
  collection text, query vector, k int default 10, filter jsonb default null, recall float8 default 0.95,
  score_min float8 default null, diversity float8 default null, per_group jsonb default null, after jsonb default null,
  texts jsonb default null
)
returns table (id text, score float8, contributions jsonb, place int)
-- So few that whoever joins them with the view reads these rows; for the thousand that Postgres assumes it may read all.
-- Of the statements on the way none is planned better for knowing the collection's values, and planning each anew took a fifth of a search.
language plpgsql stable rows 10 set search_path from current set plan_cache_mode = force_generic_plan as $$
declare
  found_row medley_internal.collections := medley_internal.with_texts(medley_internal.collection_of(collection), texts);
  -- In order, where they don't simply follow from the scores.
  ids text[];
  found text[];
  depth int;
begin
  query := medley_internal.query_beside_texts(found_row, query);
  perform medley_internal.check_query(found_row, query);
  perform medley_internal.check_limits(k, recall);
  perform medley_internal.check_extras(k, score_min, diversity, per_group, after);
  depth := medley_internal.search_depth(k, diversity, per_group, after);
  if per_group is not null then
    ids := medley_internal.grouped_ids(
      found_row, query, k, medley_internal.pool_size(k, diversity), depth, recall, filter, per_group
    );
  elsif after is not null then
    ids := medley_internal.page_ids(found_row, query, k, depth, recall, filter, after);
  elsif diversity is not null then
    ids := medley_internal.best_ids(found_row, query, medley_internal.pool_size(k, diversity), recall, filter);
  end if;
  if diversity is not null then
    ids := medley_internal.diverse_ids(found_row, query, k, ids, diversity, score_min);
  end if;
  found := coalesce(ids, medley_internal.candidate_ids(found_row, query, k, k + greatest(10, k / 2), recall, filter));
  return query execute format(
    'select id, score, contributions, (row_number() over (order by %s))::int + coalesce(($6 ->> ''place'')::int, 0)
     from (%s) as scored where $5 is null or score >= $5 order by 4 limit $4',
    case when ids is null then 'score desc, id collate "C"' else 'array_position($3, id)' end,
    medley_internal.scored_sql(found_row, medley_internal.rows_sql(found_row, 'id = any ($3)')))
    using found_row, query, found, k, score_min, after;
end $$;

comment on function medley.search(text, vector, int, jsonb, float8, float8, float8, jsonb, jsonb, jsonb) is
$$The k rows with the highest score: the sum over spaces of weight x cosine, and over `texts` (texts.sql) of weight x how well their words
match; each part in `contributions`. With texts alone (`query` null) only rows that match are hits. Equal scores come in order of
id; `place` counts the hits. None is below `score_min`. `diversity` (0 to 1) trades score for hits that differ (diversity.sql),
`per_group` takes at most `max` of each value of a field (groups.sql), `after` the hits behind another (pages.sql).
  select f.title, s.score, s.contributions
  from medley.search('films', medley.query('films', '{"year": 1999}'), 5, '{"genres": {"any": ["Comedy"]}}') s
  join medley.films f using (id) order by s.place;
  select * from medley.search('films', medley.query('films', '{"year": 1999}'), per_group => '{"field": "studio", "max": 2}');
  select * from medley.search('films', medley.query('films', '{"year": 1999}'), texts => '{"words": {"query": "bank heist -comedy", "weight": 2}}');$$;

-- How many of the best rows are looked through; deeper than 1,000 all are scored.
create or replace function medley_internal.search_depth(k int, diversity float8, per_group jsonb, after jsonb)
returns int language plpgsql immutable parallel safe as $$
declare
  pool int := medley_internal.pool_size(k, diversity);
begin
  return case
    when per_group is not null then least(5 * pool, 1000)
    else pool + coalesce((after ->> 'place')::int, 0)
  end;
end $$;

create or replace function medley_internal.check_extras(
  k int, score_min float8, diversity float8, per_group jsonb, after jsonb
)
returns void language plpgsql immutable parallel safe as $$
begin
  if score_min = 'NaN' then
    raise exception 'the lowest score is NaN' using errcode = '22023', hint = 'pass a number';
  elsif after is not null and (diversity is not null or per_group is not null) then
    raise exception 'a page has no diversity and no groups: which hits they leave out depends on all hits before' using errcode = '22023',
      hint = 'leave out "after", or the diversity and the groups';
  end if;
  perform medley_internal.check_diversity(k, diversity);
  perform medley_internal.check_after(k, after);
end $$;

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

-- `source` with the scores of its rows (`id`, `embedding`, `words`: the texts' terms) by the query, parameter $2 of the statement it is
-- put into.
create or replace function medley_internal.scored_sql(found_row medley_internal.collections, source text)
returns text language plpgsql stable parallel safe as $$
begin
  return (
    select format('select candidate.*, %s as score, to_jsonb(part) as contributions from %s as candidate, lateral (select %s offset 0) as part',
      string_agg(format('part.%I', name), ' + ' order by place), source, string_agg(format('%s as %I', term, name), ', ' order by place))
    from (
      select start as place, name,
        format('inner_product(subvector(embedding, %1$s, %2$s), subvector($2, %1$s, %2$s))', start, dimensions) as term
      from medley_internal.segments(found_row)
      union all
      select found_row.dimensions + place, name, format('words[%s]', place) from medley_internal.asked_texts(found_row)
    ) as terms
  );
end $$;

-- A source of rows, in a statement whose $1 is the collection. `extra`: columns more. `offset 0`, so that a vector is cast once.
create or replace function medley_internal.rows_sql(found_row medley_internal.collections, condition text, extra text default '')
returns text language plpgsql stable parallel safe as $$
begin
  return format('(select row.id, row.embedding::vector as embedding, %s as words%s from medley_internal.%I as row where %s offset 0)',
    medley_internal.text_terms(found_row), extra, medley_internal.rows_view(found_row), condition);
end $$;

-- At least the `wanted` best rows that pass the filter, in any order, k of which are asked for.
create or replace function medley_internal.candidate_ids(
  found_row medley_internal.collections, query vector, k int, wanted int, recall float8, filter jsonb
)
returns text[] language plpgsql stable as $$
declare
  condition text := medley_internal.search_condition(found_row, query, filter);
  ids text[] := medley_internal.indexed_ids(found_row, query, k, wanted, recall, condition, filter);
begin
  if ids is not null then return ids; end if;
  if medley_internal.asks_of_texts(found_row) then
    return medley_internal.worded_ids(
      found_row, query, wanted, filter, matching_only => vector_norm(query) = 0 and medley_internal.text_matches(found_row) is not null
    );
  end if;
  execute format(
    'select array(select id from medley_internal.%I as row where %s order by %s, id limit $2)',
    medley_internal.rows_view(found_row), condition,
    case
      -- The embedded engine has no instructions for half precision: single precision is 1.6 times as fast.
      when version() like '%PGlite%' then 'embedding::vector <#> $4'
      -- `+ 0` keeps the index out.
      else '(embedding <#> $1) + 0'
    end
  ) into ids using l2_normalize(query)::halfvec, wanted, filter, query;
  return ids;
end $$;

-- The `wanted` best by what indexes give. Null where a scan is the better plan, and where they give fewer than k: the filter is so
-- selective that an index gave up, or there are no more.
create or replace function medley_internal.indexed_ids(
  found_row medley_internal.collections, query vector, k int, wanted int, recall float8, condition text, filter jsonb
)
returns text[] language plpgsql stable as $$
declare
  plan jsonb := medley_internal.planned(found_row, query, k, recall, condition, filter);
  ids text[];
begin
  if plan ->> 'method' <> 'paths' then return null; end if;
  -- The order is the same; no weight is too large or too small for half precision.
  ids := medley_internal.united_candidates(
    found_row, plan -> 'paths', query, l2_normalize(query)::halfvec, k, wanted, condition, filter
  );
  if coalesce(cardinality(ids), 0) < k then return null; end if;
  if medley_internal.asks_of_texts(found_row) then
    ids := ids || medley_internal.worded_ids(found_row, query, wanted, filter, matching_only => true);
  end if;
  return ids;
end $$;

-- In order, by score.
create or replace function medley_internal.best_ids(
  found_row medley_internal.collections, query vector, k int, recall float8, filter jsonb
)
returns text[] language plpgsql stable as $$
declare
  ids text[];
begin
  execute format('select array(select id from (%s) as scored order by score desc, id collate "C" limit $4)',
    medley_internal.scored_sql(found_row, medley_internal.rows_sql(found_row, 'id = any ($3)')))
  into ids using found_row, query, medley_internal.candidate_ids(found_row, query, k, k + greatest(10, k / 2), recall, filter), k;
  return ids;
end $$;

-- The best rows of those that `keep` leaves of all that pass the filter, in order: `wanted` of them. What indexes give to `depth` is
-- looked through first, and will do where `enough` are left of it; else all rows are scored. `keep` is a statement on `scored`
-- (`id`, `score` and what `extra` adds to them), which reads `options` as $5.
create or replace function medley_internal.kept_ids(
  found_row medley_internal.collections, query vector, wanted int, enough int, depth int, recall float8, filter jsonb,
  keep text, options jsonb, extra text default ''
)
returns text[] language plpgsql stable as $$
declare
  condition text := medley_internal.search_condition(found_row, query, filter);
  best text := 'with scored as (%s) select array(select id from (' || keep || ') as kept order by score desc, id collate "C" limit $4)';
  indexed text[];
  ids text[];
begin
  if depth <= 1000 then
    indexed := medley_internal.indexed_ids(found_row, query, depth, depth + greatest(10, depth / 2), recall, condition, filter);
  end if;
  if indexed is not null then
    execute format(best, medley_internal.scored_sql(found_row, medley_internal.rows_sql(found_row, 'row.id = any ($6)', extra)))
      into ids using found_row, query, filter, wanted, options, indexed;
    if cardinality(ids) >= enough then return ids; end if;
  end if;
  execute format(best, medley_internal.scored_sql(found_row, medley_internal.rows_sql(found_row, condition, extra)))
    into ids using found_row, query, filter, wanted, options;
  return ids;
end $$;

-- The best of what the paths give, by the distance of the fused vectors. The index over all spaces should have k as good as the best k:
-- where it has not, a path of a space has one that it has missed, and it may have missed more: all are read deeper. Scores that half precision
-- can't tell apart are equal.
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
      or fused_distances[k] <= best_distances[k] + 2.0 ^ -11;
  end loop;
  return best;
end $$;

create or replace function medley.explain(collection text, id text, query vector, texts jsonb default null)
returns table (space text, weight float8, contribution float8)
language plpgsql stable parallel safe set search_path from current as $$
declare
  found_row medley_internal.collections := medley_internal.with_texts(medley_internal.collection_of(collection), texts);
  embedding vector := medley_internal.embedding_of(found_row, id);
  words float8[];
begin
  query := medley_internal.query_beside_texts(found_row, query);
  perform medley_internal.check_query(found_row, query);
  execute 'select words from ' || medley_internal.rows_sql(found_row, 'row.id = $2') || ' as found' into words using found_row, id;
  return query
    select terms.name, terms.weight, terms.contribution
    from (
      select start as place, name, vector_norm(subvector(query, start, dimensions)) as weight,
        inner_product(subvector(embedding, start, dimensions), subvector(query, start, dimensions)) as contribution
      from medley_internal.segments(found_row)
      union all
      select found_row.dimensions + asked.place, asked.name, abs(asked.weight), words[asked.place]
      from medley_internal.asked_texts(found_row) as asked
    ) as terms order by terms.place;
end $$;
comment on function medley.explain(text, text, vector, jsonb) is
$$What each space and text adds to a row's score; `weight` is the size of its weight in the query, without its sign.
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
