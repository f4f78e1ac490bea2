-- The planner of a search: how to find its best rows. An exact scan is never wrong; where many rows are to be read, the first rows of
-- some paths (search-paths.sql) are united and scored exactly instead. Which paths, and how deep, `medley analyze` has learned per
-- collection: it keeps what each of some plans finds at sampled weightings, and what it costs. A search takes the cheapest that
-- is expected to find enough at its own weighting, from those sampled nearest to it.

-- {"method": "exact" | "paths", "paths": [{"place", "space", "kind", "depth", ...}], "rows", "passing", "recall", "ms", "learned"}
create or replace function medley_internal.plan_search(
  found_row medley_internal.collections, query vector, k int, recall float8, condition text, filter jsonb
)
returns jsonb language plpgsql stable as $$
declare
  statistics medley_internal.search_statistics;
  live float8;
  passing float8;
  read float8 := 1;
  exact_ms float8;
  -- How much further a path is read, since fewer rows pass.
  stretch float8;
  learned jsonb;
  chosen jsonb;
begin
  select * into statistics from medley_internal.search_statistics where table_name = found_row.live_table;
  live := medley_internal.estimated_rows(found_row);
  if condition = 'true' then
    passing := live;
  else
    select least(live, rows), read_share into passing, read from medley_internal.estimated_filter(found_row, condition, filter);
  end if;
  exact_ms := coalesce(
    (statistics.scan_ms * live * read + statistics.score_ms * passing) / greatest(statistics.rows, 1),
    -- Not measured yet: about what an idle core takes.
    live * read * 2e-4 + passing * 1e-6 * found_row.dimensions
  );
  chosen := jsonb_build_object('method', 'exact', 'paths', '[]'::jsonb, 'rows', live, 'passing', passing, 'recall', 1,
    'ms', exact_ms, 'learned', statistics.table_name is not null);
  -- So few are scored in no time.
  if recall = 1 or live < 2000 or vector_norm(query) = 0 then return chosen; end if;
  stretch := live / greatest(passing, 1);
  learned := coalesce(medley_internal.certain_plan(found_row, query, k, stretch), case
    when statistics.table_name is null then medley_internal.default_plan(found_row, query, k, stretch)
    else medley_internal.learned_plan(found_row, statistics, query, k, recall, stretch)
  end);
  if (learned ->> 'ms')::float8 < exact_ms then chosen := chosen || learned; end if;
  return chosen;
end $$;

-- From what Postgres knows of the table and how large it is now.
create or replace function medley_internal.estimated_rows(found_row medley_internal.collections)
returns float8 language plpgsql stable as $$
declare
  rows float8;
begin
  select reltuples / relpages * pg_relation_size(oid) / current_setting('block_size')::int into rows
  from pg_catalog.pg_class
  where oid = to_regclass(format('medley_internal.%I', found_row.live_table)) and reltuples >= 0 and relpages > 0;
  return coalesce(rows, (select estimate.rows from medley_internal.estimated_filter(found_row, 'true', null) as estimate));
end $$;

-- Where one space alone counts and its field has an order, the first rows in that order are the best: nothing to learn.
create or replace function medley_internal.certain_plan(
  found_row medley_internal.collections, query vector, k int, stretch float8
)
returns jsonb language plpgsql stable parallel safe as $$
declare
  depth int := k + greatest(10, k / 2);
  alone jsonb;
  path jsonb;
begin
  select space into alone from jsonb_array_elements(found_row.spaces) as space
  where medley_internal.path_kind(space) = 'ordered' and (1 - 1e-6) * vector_norm(query)
    <= vector_norm(subvector(query, (space ->> 'offset')::int + 1, (space ->> 'dimensions')::int));
  if alone is null then return null; end if;
  select entry into path from jsonb_array_elements(medley_internal.open_paths(found_row)) as entry
  where entry -> 'space' = alone -> 'name';
  if path is null then return null; end if;
  return jsonb_build_object('method', 'paths', 'paths', jsonb_build_array(path || jsonb_build_object('depth', depth)),
    'recall', 1, 'ms', 0.5 + 0.005 * depth * stretch);
end $$;

-- What Postgres estimates: the rows that pass, and what finding them costs beside reading all, since an index of the filter's may
-- spare the rest. Volatile, as `explain` wants it.
create or replace function medley_internal.estimated_filter(
  found_row medley_internal.collections, condition text, filter jsonb, out rows float8, out read_share float8
)
language plpgsql as $$
declare
  of_filter json;
  of_all json;
begin
  read_share := 1;
  -- A condition reads the filter as $3, and of a search for words alone the collection as $1.
  execute format('explain (format json) select from medley_internal.%I as row where %s', medley_internal.rows_view(found_row), condition)
    into of_filter using found_row, null::int, filter;
  rows := (of_filter -> 0 -> 'Plan' ->> 'Plan Rows')::float8;
  if of_filter -> 0 -> 'Plan' ->> 'Node Type' = 'Seq Scan' then return; end if;
  execute format('explain (format json) select from medley_internal.%I', medley_internal.rows_view(found_row)) into of_all;
  read_share := least(1, (of_filter -> 0 -> 'Plan' ->> 'Total Cost')::float8 / (of_all -> 0 -> 'Plan' ->> 'Total Cost')::float8);
end $$;

-- Per space, the share of the query's length; below 0 where it lies on the far side of the rows' mean. As a unit vector.
create or replace function medley_internal.shares_of(found_row medley_internal.collections, query vector, mean vector)
returns float8[] language plpgsql stable parallel safe as $$
begin
  return (
    select array_agg(
      vector_norm(subvector(query, start, dimensions)) / vector_norm(query)
        * case when inner_product(subvector(query, start, dimensions), subvector(mean, start, dimensions)) < 0 then -1 else 1 end
      order by start
    )
    from (
      select (space ->> 'offset')::int + 1 as start, (space ->> 'dimensions')::int as dimensions
      from jsonb_array_elements(found_row.spaces) as space
    ) as segment
  );
end $$;

-- Of plans measured, the cheapest that at this weighting is expected to find `recall` of the best. Null: none.
create or replace function medley_internal.learned_plan(
  found_row medley_internal.collections, statistics medley_internal.search_statistics, query vector, k int,
  recall float8, stretch float8
)
returns jsonb language plpgsql stable as $$
declare
  asked vector := medley_internal.shares_of(found_row, query, statistics.mean)::vector;
  expected record;
  paths jsonb;
begin
  for expected in
    -- The nearer a weighting, the more it counts; one that is the query's own alone. Between them a plan may find what it finds at the worst: of
    -- many where all are far, since there each says little.
    with near as (
      select recalls, costs, 1 / (1e-6 + (weighting.shares <-> asked) ^ 2) as closeness
      from medley_internal.search_weightings as weighting where table_name = found_row.live_table
      order by weighting.shares <-> asked limit 8
    ), weighed as (
      select recalls, costs, closeness / sum(closeness) over () as weight from near
    )
    select number, min(plan.recall) as recall, sum(plan.ms * weight) / sum(weight) + (stretch - 1) * min(growth) as ms
    from weighed, unnest(recalls::real[], costs::real[], statistics.growths) with ordinality as plan (recall, ms, growth, number)
    where weight >= 0.1 and plan.recall >= learned_plan.recall
    group by number having count(*) = (select count(*) from weighed where weight >= 0.1) order by 3
  loop
    select plan.paths into paths from medley_internal.search_plans as plan
    where table_name = found_row.live_table and plan.number = expected.number;
    -- Else an index has been dropped since.
    continue when not medley_internal.are_open(paths);
    return jsonb_build_object('method', 'paths', 'paths', medley_internal.deepened(paths, k), 'recall', expected.recall,
      'ms', expected.ms * medley_internal.depth_factor(k));
  end loop;
  return null;
end $$;

-- How much deeper to look than for the ten that was learned for.
create or replace function medley_internal.depth_factor(k int)
returns float8 language sql immutable parallel safe
return greatest(1, k / 10.0);

create or replace function medley_internal.deepened(paths jsonb, k int)
returns jsonb language plpgsql immutable parallel safe as $$
begin
  if medley_internal.depth_factor(k) = 1 then return paths; end if;
  return (
    select jsonb_agg(path || jsonb_build_object('depth', ceil((path ->> 'depth')::int * medley_internal.depth_factor(k)),
      'deeper', ceil((path ->> 'deeper')::int * medley_internal.depth_factor(k))))
    from jsonb_array_elements(paths) as path
  );
end $$;

-- Before `medley analyze`: deep enough for most collections, and only where each space that counts has a path, or all count alike.
create or replace function medley_internal.default_plan(
  found_row medley_internal.collections, query vector, k int, stretch float8
)
returns jsonb language plpgsql stable as $$
declare
  shares float8[] := medley_internal.shares_of(found_row, query, query);
  open jsonb := medley_internal.open_paths(found_row);
  open_places int[] := array(select (entry ->> 'place')::int from jsonb_array_elements(open) as entry);
  reaches boolean;
  paths jsonb;
begin
  -- One index over all spaces finds .95 where none counts five times as much as another, but .25 to .69 for one space alone.
  reaches := 0 = any (open_places) and (
    (select min(share) >= max(share) / 5 from unnest(shares) as share)
    or (select bool_and(place = any (open_places)) from unnest(shares) with ordinality as entry (share, place) where share >= 0.15)
  );
  if not reaches then return null; end if;
  select jsonb_agg(entry || jsonb_build_object('depth', case when entry ->> 'kind' in ('ordered', 'inverted') then 1000 else 200 end))
  into paths
  from jsonb_array_elements(open) as entry, lateral (select (entry ->> 'place')::int as place) as named
  where place = 0 or shares[place] >= 0.15;
  return jsonb_build_object('method', 'paths', 'paths', medley_internal.deepened(paths, k), 'recall', null,
    'ms', 5.0 * jsonb_array_length(paths) * medley_internal.depth_factor(k) * stretch);
end $$;

-- It has got a parameter more.
drop function if exists medley.explain_search(text, vector, int, jsonb, float8);

create or replace function medley.explain_search(
  collection text, query vector, k int default 10, filter jsonb default null, recall float8 default 0.95, texts jsonb default null
)
returns table (method text, paths jsonb, estimated_recall float8, estimated_ms float8, rows float8, passing_rows float8, learned boolean)
language plpgsql stable set search_path from current set plan_cache_mode = force_generic_plan as $$
declare
  found_row medley_internal.collections := medley_internal.with_texts(medley_internal.collection_of(collection), texts);
  plan jsonb;
begin
  query := medley_internal.query_beside_texts(found_row, query);
  perform medley_internal.check_query(found_row, query);
  perform medley_internal.check_limits(k, recall);
  plan := medley_internal.planned(
    found_row, query, k, recall, medley_internal.search_condition(found_row, query, filter), filter
  );
  return query select plan ->> 'method',
    (select coalesce(jsonb_agg(jsonb_build_object(
      'path', coalesce(path ->> 'space', 'all spaces'), 'kind', path ->> 'kind', 'depth', path -> 'depth')), '[]')
      from jsonb_array_elements(plan -> 'paths') as path) || medley_internal.text_paths(found_row),
    (plan ->> 'recall')::float8, (plan ->> 'ms')::float8, (plan ->> 'rows')::float8, (plan ->> 'passing')::float8,
    (plan ->> 'learned')::boolean;
end $$;
comment on function medley.explain_search(text, vector, int, jsonb, float8, jsonb) is
$$How medley.search would find its rows: an exact scan, or the first rows of some indexes united and scored exactly; with the
recall at 10 and the milliseconds expected (null: not learned; run medley analyze) and the rows that pass the filter, as Postgres estimates.
  select * from medley.explain_search('films', medley.query('films', '{"year": 1999}'), 10, '{"genres": "Comedy"}');$$;
