-- The ways to a search's candidates. Beside the index over the fused vector (kind `fused`) each space may have one of its own:
--   graph    an HNSW index over its segments that are not missing
--   ordered  a b-tree over its field (number, recency), where the best rows at any weight follow from the value that is asked for
--   inverted by its field's categories (GIN; a b-tree where a row has one alone): many rows are equally near, so they are no
--            list in order but a set, all of which is scored
-- Only graphs find what texts, pictures and the like are near to. So in the graph over all spaces these count more: it finds more at
-- almost all weightings than one in which they count as much as years and genres, whose many equals lie in clusters that no way
-- leads out of (docs/SEARCH.md). The order is the score's all the same, since the query's other segments are multiplied alike.
-- A weight below 0 needs no path of its own: its segment points the other way, so the nearest to it are the farthest.

-- `field` and its type are those that the index is over; `shortened` what a graph is over fewer dimensions of: how many by place of the space.
create or replace function medley_internal.search_paths(found_row medley_internal.collections)
returns table (place int, space text, kind text, index_name text, start int, dimensions int, field text, type text, shortened jsonb)
language plpgsql stable parallel safe as $$
declare
  all_shortened jsonb := (
    select coalesce(jsonb_object_agg(axes.place, axes.dimensions), '{}') from medley_internal.graph_axes as axes
    where table_name = found_row.live_table
  );
begin
  return query
  select 0, null, 'fused', found_row.live_table || '_hnsw', 1, found_row.dimensions, null, null, all_shortened
  union all
  select entry.place::int, entry.space ->> 'name', path.kind,
    found_row.live_table || case path.kind when 'inverted' then '_categories_' else '_space_' end || entry.place,
    (entry.space ->> 'offset')::int + 1, (entry.space ->> 'dimensions')::int, entry.space ->> 'field',
    found_row.fields::jsonb ->> (entry.space ->> 'field'),
    case path.kind when 'graph' then medley_internal.shortened_of(all_shortened, entry.place) else '{}' end
  from jsonb_array_elements(found_row.spaces) with ordinality as entry (space, place),
    lateral (select medley_internal.path_kind(entry.space) as kind) as path
  -- A lone space's segments are the fused vectors.
  where jsonb_array_length(found_row.spaces) > 1;
end $$;

create or replace function medley_internal.shortened_of(all_shortened jsonb, place bigint)
returns jsonb language sql immutable parallel safe
return case when all_shortened ? place::text then jsonb_build_object(place, all_shortened -> place::text) else '{}' end;

create or replace function medley_internal.path_kind(space jsonb)
returns text language sql immutable parallel safe
return case space ->> 'encoder' when 'number' then 'ordered' when 'recency' then 'ordered' when 'category' then 'inverted' else 'graph' end;

-- Where a collection has spaces that only graphs find and others, `fused` with the segments of the one kind or the other multiplied.
-- Never by less than 1, which half precision may refuse. By 2.5: of the best ten of 100,000 films at 40 random weightings the graph finds
-- .84 at ef 40 and .92 at 160, of equal parts .69 and .86; with 3.5 it finds less where all count alike.
create or replace function medley_internal.scaled(spaces jsonb, shortened jsonb, fused text, scales_graphs boolean, vector_schema text)
returns text language plpgsql immutable parallel safe as $$
declare
  space jsonb;
  place int;
  graph boolean;
  factors text[] := '{}';
  kinds boolean[] := '{}';
begin
  for space, place in select * from jsonb_array_elements(spaces) with ordinality loop
    graph := medley_internal.path_kind(space) = 'graph';
    kinds := kinds || graph;
    factors := factors || format('array_fill(%s::real, ''{%s}'')', case when graph = scales_graphs then 2.5 else 1 end,
      coalesce(shortened ->> place::text, space ->> 'dimensions'));
  end loop;
  if true <> all (kinds) or false <> all (kinds) then return fused; end if;
  return format('(%s operator(%s.*) (%s)::%2$s.halfvec)', fused, vector_schema, array_to_string(factors, ' || '));
end $$;

-- What a graph is over, as SQL that names the extension's schema: the same in the index and in the search.
create or replace function medley_internal.graph_vector(
  found_row medley_internal.collections, kind text, start int, shortened jsonb, vector_schema text
)
returns text language sql immutable parallel safe
return (
  select case
    when kind = 'graph' then string_agg(segment.sql, '')
    when shortened = '{}' then medley_internal.scaled(found_row.spaces, shortened, 'embedding', true, vector_schema)
    else medley_internal.scaled(found_row.spaces, shortened,
      '(' || string_agg(segment.sql, format(' operator(%s.||) ', vector_schema) order by segment.place) || ')', true, vector_schema)
  end || format('::%s.halfvec(%s)', vector_schema, sum(segment.dimensions))
  from (
    select place, coalesce((shortened ->> place::text)::int, own.dimensions) as dimensions,
      case when shortened ? place::text
        then format('medley_internal.along_axes(%L, %s, %s.subvector(embedding, %s, %s))', found_row.live_table, place, vector_schema,
          own.start, own.dimensions)
        else format('%s.subvector(embedding, %s, %s)', vector_schema, own.start, own.dimensions)
      end as sql
    from jsonb_array_elements(found_row.spaces) with ordinality as entry (space, place),
      lateral (select (space ->> 'offset')::int + 1 as start, (space ->> 'dimensions')::int as dimensions) as own
    where kind = 'fused' or own.start = graph_vector.start
  ) as segment
);

-- A segment along its space's axes, of length 1 or all zero as the segment itself. Called immutable, since an index has to know that it will
-- give the same again: axes are there before their graphs and stay until these are gone (`writeGraphAxes`). Null while a graph gives rows in its
-- order: Postgres computes for each of them what it is ordered by, which nobody reads, and which takes longer than all else.
create or replace function medley_internal.along_axes(axes_of text, axes_place int, segment halfvec)
returns halfvec language plpgsql immutable strict parallel safe as $$
begin
  if current_setting('medley.reads_graph', true) = 'on' then return null; end if;
  return medley_internal.projected(axes_of, axes_place, segment);
end $$;

-- Apart, since a search path that is set takes as long for each row that a graph gives as all else.
create or replace function medley_internal.projected(axes_of text, axes_place int, segment halfvec)
returns halfvec language plpgsql immutable strict parallel safe set search_path from current as $$
declare
  fitted halfvec[];
begin
  select axes into fitted from medley_internal.graph_axes where table_name = axes_of and place = axes_place;
  return l2_normalize(array(select inner_product(segment, axis) from unnest(fitted) as axis)::halfvec);
end $$;

-- What is asked of a graph over fewer dimensions; each segment keeps its length, which is its weight.
create or replace function medley_internal.shortened_query(found_row medley_internal.collections, path jsonb, asked halfvec)
returns halfvec language plpgsql stable parallel safe as $$
declare
  place int;
  segment halfvec;
  numbers real[] := '{}';
begin
  if path -> 'shortened' = '{}' then return asked; end if;
  if path ->> 'kind' = 'graph' then
    return medley_internal.along_axes(found_row.live_table, (path ->> 'place')::int, asked);
  end if;
  for place, segment in
    select row_number() over (order by start), subvector(asked, start, dimensions) from medley_internal.segments(found_row) order by start
  loop
    numbers := numbers || case when path -> 'shortened' ? place::text
      then array(select x * l2_norm(segment) from unnest(medley_internal.along_axes(found_row.live_table, place, segment)::real[]) as x)::real[]
      else segment::real[]
    end;
  end loop;
  return numbers::halfvec;
end $$;

create or replace function medley_internal.vector_schema()
returns text language plpgsql stable parallel safe as $$
begin
  return (select extnamespace::regnamespace::text from pg_catalog.pg_extension where extname = 'vector');
end $$;

-- Those whose index is there and whole, as an array of objects.
create or replace function medley_internal.open_paths(found_row medley_internal.collections)
returns jsonb language plpgsql stable parallel safe as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(path) order by place), '[]')
    from medley_internal.search_paths(found_row) as path
    join pg_catalog.pg_index on indexrelid = to_regclass(format('medley_internal.%I', index_name)) and indisvalid
  );
end $$;

create or replace function medley_internal.are_open(paths jsonb)
returns boolean language plpgsql stable parallel safe as $$
begin
  return not exists (
    select from jsonb_array_elements(paths) as path where not exists (
      select from pg_catalog.pg_index
      where indexrelid = to_regclass(format('medley_internal.%I', path ->> 'index_name')) and indisvalid
    )
  );
end $$;

-- What follows `create index NAME on TABLE`; `candidates` are those of a graph's build.
create or replace function medley_internal.index_definition(
  found_row medley_internal.collections, kind text, start int, dimensions int, field text, type text, shortened jsonb, candidates int
)
returns text language sql stable parallel safe
return (
  select case
    when kind in ('fused', 'graph') then format('using hnsw ((%s) %s.halfvec_ip_ops) with (ef_construction = %s)%s',
      medley_internal.graph_vector(found_row, kind, start, shortened, vector_schema), vector_schema, candidates,
      case kind when 'graph' then format(' where %s.l2_norm(%1$s.subvector(embedding, %s, %s)) > 0', vector_schema, start, dimensions) else '' end)
    when kind = 'inverted' and type <> 'category' then format('using gin (%I) where deleted_at is null', field)
    else format('(%I, id) where deleted_at is null', field)
  end
  from medley_internal.vector_schema() as vector_schema
);

-- The best `wanted` of a path's `depth` first rows that pass the filter, by the distance of the fused vectors; `direction` is the
-- query's.
create or replace function medley_internal.path_candidates(
  found_row medley_internal.collections, path jsonb, query vector, direction halfvec, wanted int, condition text, filter jsonb,
  out ids text[], out distances float8[]
)
language plpgsql stable
set hnsw.iterative_scan = relaxed_order set enable_sort = off set jit = off as $$
declare
  kind text := path ->> 'kind';
  depth int := (path ->> 'depth')::int;
  segment vector := subvector(query, (path ->> 'start')::int, (path ->> 'dimensions')::int);
  definition jsonb := found_row.spaces -> (path ->> 'place')::int - 1;
  ranges medley_internal.ordered_ranges;
  categories text[];
  asked halfvec := medley_internal.shortened_query(found_row, path, l2_normalize(segment)::halfvec);
  rows_sql text;
begin
  if kind = 'ordered' then
    ranges := medley_internal.ranges_of(definition, segment);
    rows_sql := medley_internal.ordered_rows(medley_internal.rows_view(found_row), definition, ranges, condition);
  elsif kind = 'inverted' then
    categories := medley_internal.asked_categories(definition, segment);
    -- Asked for is what no name stands for.
    if categories = '{}' then return; end if;
    rows_sql := medley_internal.inverted_rows(medley_internal.rows_view(found_row), path, segment, condition);
  else
    rows_sql := medley_internal.graph_rows(found_row, path, condition);
    perform set_config('hnsw.ef_search', least(greatest(depth, 40), 1000)::text, true),
      -- Back below; an error takes it back, too. A function may say such a setting at its head if a superuser made it.
      set_config('medley.reads_graph', 'on', true);
  end if;
  execute format(
    'select array_agg(id), array_agg(distance) from (select id, distance from (%s) as read order by distance limit $4) as best',
    rows_sql) into ids, distances
  using direction, depth, filter, wanted, asked, ranges, categories;
  perform set_config('medley.reads_graph', 'off', true);
end $$;

-- The functions below give a path's rows as a statement of path_candidates' parameters.

-- Of the graph over all spaces no more than are wanted: they come in the order of the fused vectors' distance. One over fewer dimensions comes
-- near it: of twice as many all dimensions choose.
create or replace function medley_internal.graph_rows(found_row medley_internal.collections, path jsonb, condition text)
returns text language plpgsql stable parallel safe as $$
declare
  kind text := path ->> 'kind';
  start int := (path ->> 'start')::int;
  dimensions int := (path ->> 'dimensions')::int;
  shortened jsonb := path -> 'shortened';
  vector_schema text := medley_internal.vector_schema();
begin
  return format('select id, embedding <#> $1 as distance from medley_internal.%I as row where %s order by (%s) <#> %s limit %s',
    medley_internal.rows_view(found_row),
    case kind when 'graph' then format('l2_norm(subvector(embedding, %s, %s)) > 0 and ', start, dimensions) else '' end || condition,
    medley_internal.graph_vector(found_row, kind, start, shortened, vector_schema),
    case kind when 'graph' then '$5' else medley_internal.scaled(found_row.spaces, shortened, '$5', false, vector_schema) end,
    case when kind = 'graph' then '$2' when shortened = '{}' then 'least($2, $4)' else 'least($2, 2 * $4)' end);
end $$;

-- The names that count at least half as much as the one that counts most; of a segment that is turned round, those turned round.
create or replace function medley_internal.asked_categories(definition jsonb, segment vector)
returns text[] language plpgsql immutable parallel safe as $$
declare
  names jsonb := definition -> 'values';
  shares real[] := segment::real[];
  most real;
begin
  select case when max(share) > 0 then max(share) else min(share) end into most from unnest(shares) as share;
  -- The dimension beyond the names is that of all others.
  return array(
    select names ->> place::int - 1 from unnest(shares) with ordinality as entry (share, place)
    where share / nullif(most, 0) >= 0.5 and place <= jsonb_array_length(names)
  );
end $$;

-- Rows with all of these categories, then with some of them, until there are enough.
create or replace function medley_internal.inverted_rows(rows_view text, path jsonb, segment vector, condition text)
returns text language plpgsql immutable parallel safe as $$
declare
  field text := format('row.%I', path ->> 'field');
  type text := path ->> 'type';
  shares_one text := field || case type when 'category' then ' = any ($7)' when 'categories' then ' && $7' else ' ?| $7' end;
  shares_all text := field || case type when 'categories' then ' @> $7' else ' ?& $7' end;
  parts text[];
begin
  parts := case
    when (select max(share) <= 0 from unnest(segment::real[]) as share) then array[format('%s is null or not %s', field, shares_one)]
    when type = 'category' then array[shares_one]
    else array[shares_all, format('%s and not %s', shares_one, shares_all)]
  end;
  return 'select id, embedding <#> $1 as distance from (' || (
    select string_agg(
      format('select id, embedding from medley_internal.%I as row where embedding is not null and (%s) and %s', rows_view, part, condition),
      ' union all ' order by place)
    from unnest(parts) with ordinality as entry (part, place)
  ) || ' limit $2) as shared';
end $$;

-- On both sides of what is asked for.
create or replace function medley_internal.ordered_rows(
  rows_view text, definition jsonb, asked medley_internal.ordered_ranges, condition text
)
returns text language plpgsql immutable parallel safe as $$
declare
  field text := format('row.%I', definition ->> 'field');
  bound text := case definition ->> 'encoder' when 'recency' then 'to_timestamp(%s)' else '%s' end;
  arms text[];
begin
  arms := array(
    select format(
      'select id, distance from unnest(($6).%1$s_low, ($6).%1$s_high) as range (low, high), lateral (
         select id, embedding <#> $1 as distance from medley_internal.%2$I as row
         where %3$s >= %4$s and %3$s < %5$s and %6$s order by %3$s%7$s, id%7$s limit $2
       ) as arm', way, rows_view, field, format(bound, 'low'), format(bound, 'high'), condition,
      case way when 'falling' then ' desc' end)
    from unnest(array['rising', 'falling']) as way
    where case way when 'rising' then asked.rising_low else asked.falling_low end <> '{}'
  );
  -- A missing segment adds 0, which may be more than what rows with a value get.
  if asked.missing then
    arms := arms || format('(select id, embedding <#> $1 as distance from medley_internal.%I as row where %s is null and embedding is not null and %s
      order by %2$s, id limit $2)', rows_view, field, condition);
  end if;
  return array_to_string(arms, ' union all ');
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
