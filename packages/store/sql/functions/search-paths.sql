-- The ways to a search's candidates. Beside the index over the fused vector (kind `fused`) each space may have one of its own:
--   graph    an HNSW index over its segments that are not missing
--   ordered  a b-tree over its field (number, recency), where the best rows at any weight follow from the value that is asked for
-- A weight below 0 needs no path of its own: its segment points the other way, so the nearest to it are the farthest.

-- `definition` is the space's, where an order follows from it.
create or replace function medley_internal.search_paths(found_row medley_internal.collections)
returns table (place int, space text, kind text, index_name text, start int, dimensions int, definition jsonb)
language plpgsql stable parallel safe as $$
begin
  return query
  select 0, null, 'fused', found_row.live_table || '_hnsw', 1, found_row.dimensions, null::jsonb
  union all
  select spaces.place::int, entry ->> 'name',
    case when entry ->> 'encoder' in ('number', 'recency') then 'ordered' else 'graph' end,
    found_row.live_table || '_space_' || spaces.place, (entry ->> 'offset')::int + 1, (entry ->> 'dimensions')::int,
    case when entry ->> 'encoder' in ('number', 'recency') then entry end
  from jsonb_array_elements(found_row.spaces) with ordinality as spaces (entry, place)
  -- A lone space's segments are the fused vectors.
  where jsonb_array_length(found_row.spaces) > 1;
end $$;

-- Those whose index is there and whole, as an array of objects.
create or replace function medley_internal.open_paths(found_row medley_internal.collections)
returns jsonb language plpgsql stable parallel safe as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(paths) - 'index_name' order by place), '[]')
    from medley_internal.search_paths(found_row) as paths
    join pg_catalog.pg_index on indexrelid = to_regclass(format('medley_internal.%I', paths.index_name)) and indisvalid
  );
end $$;

-- What follows `create index NAME on TABLE`.
create or replace function medley_internal.index_definition(
  kind text, start int, dimensions int, definition jsonb
)
returns text language sql stable parallel safe set search_path from current as $$
  select case kind
    when 'fused' then format('using hnsw (embedding %s.halfvec_ip_ops)', vector_schema)
    when 'graph' then format(
      'using hnsw ((%s.subvector(embedding, %s, %s)::%1$s.halfvec(%3$s)) %1$s.halfvec_ip_ops) where %1$s.l2_norm(%1$s.subvector(embedding, %2$s, %3$s)) > 0',
      vector_schema, start, dimensions)
    else format('(%I, id) where deleted_at is null', definition ->> 'field')
  end
  from (select extnamespace::regnamespace as vector_schema from pg_catalog.pg_extension where extname = 'vector') as installed
$$;

-- A path's `depth` first rows that pass the filter, with the distance of the fused vectors; `direction` is the query's. Of the
-- index over all spaces no more than are `wanted`: they come in the order of that distance.
create or replace function medley_internal.path_candidates(
  found_row medley_internal.collections, path jsonb, query vector, direction halfvec, wanted int, condition text, filter jsonb,
  out ids text[], out distances float8[]
)
language plpgsql stable
set hnsw.iterative_scan = relaxed_order set enable_sort = off set jit = off as $$
declare
  kind text := path ->> 'kind';
  start int := (path ->> 'start')::int;
  dimensions int := (path ->> 'dimensions')::int;
  depth int := (path ->> 'depth')::int;
begin
  if kind = 'ordered' then
    select * into ids, distances
    from medley_internal.ordered_candidates(found_row, path, subvector(query, start, dimensions), direction, condition, filter);
    return;
  end if;
  perform set_config('hnsw.ef_search', least(greatest(depth, 40), 1000)::text, true);
  execute format(
    'select array_agg(id), array_agg(distance) from (
       select id, embedding <#> $1 as distance from medley_internal.%I as row where %s order by %s limit $2
     ) as nearest', medley_internal.rows_view(found_row),
    case kind when 'fused' then condition
      else format('l2_norm(subvector(embedding, %s, %s)) > 0 and %s', start, dimensions, condition) end,
    case kind when 'fused' then 'embedding <#> $1'
      else format('(subvector(embedding, %s, %s)::halfvec(%2$s)) <#> $4', start, dimensions) end
  ) into ids, distances
  using direction, case when kind = 'fused' and filter is null then least(wanted, depth) else depth end, filter, l2_normalize(subvector(query, start, dimensions))::halfvec;
end $$;

create or replace function medley_internal.ordered_candidates(
  found_row medley_internal.collections, path jsonb, segment vector, direction halfvec, condition text, filter jsonb,
  out ids text[], out distances float8[]
)
language plpgsql stable as $$
declare
  asked medley_internal.ordered_ranges := medley_internal.ranges_of(path -> 'definition', segment);
  field text := format('row.%I', path -> 'definition' ->> 'field');
  bound text := case path -> 'definition' ->> 'encoder' when 'recency' then 'to_timestamp(%s)' else '%s' end;
  arms text[];
begin
  arms := array(
    select format(
      'select id, distance from unnest(($4).%1$s_low, ($4).%1$s_high) as range (low, high), lateral (
         select id, embedding <#> $1 as distance from medley_internal.%2$I as row
         where %3$s >= %4$s and %3$s < %5$s and %6$s order by %3$s%7$s, id%7$s limit $2
       ) as arm', way, medley_internal.rows_view(found_row), field, format(bound, 'low'), format(bound, 'high'), condition,
      case way when 'falling' then ' desc' end)
    from unnest(array['rising', 'falling']) as way
    where case way when 'rising' then asked.rising_low else asked.falling_low end <> '{}'
  );
  -- A missing segment adds 0, which may be more than what rows with a value get.
  if asked.missing then
    arms := arms || format('(select id, embedding <#> $1 as distance from medley_internal.%I as row where %s is null and embedding is not null and %s
      order by %2$s, id limit $2)', medley_internal.rows_view(found_row), field, condition);
  end if;
  execute format('select array_agg(id), array_agg(distance) from (%s) as candidate', array_to_string(arms, ' union all '))
    into ids, distances using direction, (path ->> 'depth')::int, filter, asked;
end $$;

-- The ranges of a field's values that hold a space's best rows at their low end (rising) or their high end (falling).
create or replace function medley_internal.ranges_of(definition jsonb, segment vector)
returns medley_internal.ordered_ranges language plpgsql stable parallel safe as $$
declare
  x real[] := segment::real[];
  asked medley_internal.ordered_ranges := ('{}', '{}', '{}', '{}', false);
  value float8;
  angle float8;
  period float8;
  centre float8;
begin
  if definition ->> 'encoder' = 'recency' then
    -- Times lie on a circle; what is nearest to the angle of the first harmonic comes first, on both sides and on every turn.
    period := 86400 * 2.4 * (definition ->> 'horizonDays')::float8;
    centre := atan2(x[2], x[1]) / (2 * pi()) * period;
    centre := centre + period * round((extract(epoch from now())::float8 - centre) / period);
    select array_agg(centre + turn * period), array_agg(centre + (turn + 0.5) * period),
      array_agg(centre + (turn - 0.5) * period), array_agg(centre + turn * period), true
    into asked from generate_series(-1, 1) as turn;
    return asked;
  end if;
  -- The score is length x cos(position - angle), position from 0 at the range's lower end to pi / 2 at its upper.
  angle := atan2(x[1], x[2]);
  value := case
    when angle between 0 and pi() / 2 then medley_internal.value_at(definition, angle / (pi() / 2))
    when angle > pi() / 2 then 'Infinity' else '-Infinity'
  end;
  if value < 'Infinity' then
    asked.rising_low := array[value];
    asked.rising_high := array['Infinity'::float8];
  end if;
  -- Below -pi / 2 both ends are better than what lies between.
  if angle < -pi() / 2 then value := 'Infinity'; end if;
  if value > '-Infinity' then
    asked.falling_low := array['-Infinity'::float8];
    asked.falling_high := array[value];
  end if;
  asked.missing := not angle between 0 and pi() / 2;
  return asked;
end $$;

-- The inverse of medley.position_in_range.
create or replace function medley_internal.value_at(definition jsonb, share float8)
returns float8 language sql immutable parallel safe
return (
  select case definition ->> 'scale' when 'log' then low * (high / low) ^ share else low + share * (high - low) end
  from (select (definition -> 'range' ->> 0)::float8 as low, (definition -> 'range' ->> 1)::float8 as high) as range
);
