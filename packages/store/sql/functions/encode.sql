-- The closed-form encoders in SQL: twins of packages/core/src/encoders, equal to 1e-6 (encode-twins.test.ts). Formulas,
-- proofs and papers are there. The plain functions give null for what has no segment; medley.encode_part raises.
-- Bodies after `return` are bound when the function is created, so they do not depend on the search_path. Those that hold a query are PL/pgSQL,
-- whose plan is kept: of a function in SQL it is made anew by each statement that calls it. They name nothing of the vector extension: what they
-- return is cast to their type.

-- Scaled to unit length; all zero stays all zero.
create or replace function medley.normalize(segment float8[])
returns vector language plpgsql immutable strict parallel safe as $$
begin
  return (
    select array_agg(case when length > 0 then x / length else 0 end order by position)
    from unnest(segment) with ordinality as entry(x, position),
      (select sqrt(sum(x * x)) as length from unnest(segment) as x) as norm
  );
end $$;

-- number ------------------------------------------------------------------------------------------------------------

-- From 0 at the lower end of the range to 1 at the upper; outside counts as the nearest end.
create or replace function medley.position_in_range(value float8, min float8, max float8, scale text default 'linear')
returns float8 language sql immutable strict parallel safe
return case
  when not (value > '-Infinity' and value < 'Infinity') then null -- NaN is above Infinity
  when scale = 'linear' then (least(greatest(value, min), max) - min) / (max - min)
  when scale = 'log' then ln(least(greatest(value, min), max) / min) / ln(max / min)
end;

-- Also the query for the values nearest to `value`.
create or replace function medley.encode_number(value float8, min float8, max float8, scale text default 'linear')
returns vector language plpgsql immutable strict parallel safe as $$
declare
  t float8 := medley.position_in_range(value, min, max, scale);
begin
  return case when t is not null then array[sin(t * pi() / 2), cos(t * pi() / 2)] end;
end $$;

-- 'high' or 'low': nearest to that end of the range.
create or replace function medley.query_number(prefer text)
returns vector language sql immutable strict parallel safe
return case prefer when 'high' then array[1, 0]::vector when 'low' then array[0, 1]::vector end;

-- category ----------------------------------------------------------------------------------------------------------

-- The names and shares in "Comedy", ["Comedy", "Drama"] or {"Comedy": 0.7}; none where it is none of these. Not strict: Postgres then puts
-- it into the query that asks for it.
create or replace function medley.category_shares(shares jsonb)
returns table (name text, share float8) language sql immutable parallel safe
begin atomic
  select shares #>> '{}', 1::float8 where jsonb_typeof(shares) = 'string'
  union all
  select distinct member, 1::float8
  from jsonb_array_elements_text(case jsonb_typeof(shares) when 'array' then shares else '[]' end) as member
  union all
  select key, member::text::float8
  from jsonb_each(case jsonb_typeof(shares) when 'object' then shares else '{}' end) as entry(key, member);
end;

-- The first name with a share that is not in the vocabulary.
create or replace function medley.unknown_category(shares jsonb, vocabulary text[])
returns text language plpgsql immutable strict parallel safe as $$
begin
  return (
    select shared.name from medley.category_shares(shares) as shared
    where share > 0 and not shared.name = any (vocabulary)
    order by shared.name collate "C" limit 1
  );
end $$;

-- `unknown`: 'ignore', 'other' (one more dimension) or 'reject' (raises). Also the query for these categories.
create or replace function medley.encode_category(shares jsonb, vocabulary text[], unknown text default 'ignore')
returns vector language plpgsql immutable strict parallel safe as $$
declare
  known_count int := cardinality(vocabulary);
  weights float8[] := array_fill(0::float8, array[known_count + (unknown = 'other')::int]);
  stranger text := case when unknown = 'reject' then medley.unknown_category(shares, vocabulary) end;
  place int;
  weight float8;
begin
  if stranger is not null then
    raise exception 'category "%" is not one of the % values', stranger, known_count using
      errcode = '22023', hint = medley.known_values(vocabulary);
  end if;
  for place, weight in
    select position_of.place, case jsonb_typeof(shares) when 'object' then sum(share) else 1 end
    from medley.category_shares(shares),
      lateral (select coalesce(array_position(vocabulary, name), known_count + 1)) as position_of(place)
    where share > 0
    group by position_of.place
  loop
    continue when place > cardinality(weights);
    weights[place] := weight;
  end loop;
  return medley.normalize(weights);
end $$;

-- For hints: at most twelve of them.
create or replace function medley.known_values(vocabulary text[])
returns text language sql immutable strict parallel safe
return 'known: ' || array_to_string(vocabulary[:12], ', ')
  || case when cardinality(vocabulary) > 12 then format(' and %s more', cardinality(vocabulary) - 12) else '' end;

-- recency -----------------------------------------------------------------------------------------------------------

create or replace function medley.recency_damping(k int, harmonics int)
returns float8 language sql immutable strict parallel safe
return (1 - k / (harmonics + 1)::float8) * sin(pi() * k / (harmonics + 1)) / (pi() * k / (harmonics + 1));

-- The time's angle on the circle, whose period is 2.4 horizons.
create or replace function medley.recency_angle(at timestamptz, horizon_days float8)
returns float8 language sql immutable strict parallel safe
return (
  select 2 * pi() * (turns - floor(turns))
  from (
    select extract(epoch from at - timestamptz '1970-01-01 00:00:00+00')::float8 / (86400 * 2.4 * horizon_days) as turns
  ) as circle
);

create or replace function medley.encode_recency(at timestamptz, horizon_days float8, harmonics int default 32)
returns vector language sql immutable strict parallel safe
return (
  select medley.normalize(array_agg(amplitude * value order by k, part))
  from (select medley.recency_angle(at, horizon_days) as angle) as circle,
    generate_series(1, harmonics) as k,
    lateral (select sqrt(medley.recency_damping(k, harmonics) / k) as amplitude) as stored,
    lateral (values (1, cos(k * angle)), (2, sin(k * angle))) as entry(part, value)
);

-- Null for a half-life that is not above 0.
create or replace function medley.query_recency(
  now timestamptz, half_life_days float8, horizon_days float8, harmonics int default 32
)
returns vector language sql immutable strict parallel safe
return (
  select medley.normalize(array_agg(amplitude * value order by k, part))
  from (
      select medley.recency_angle(now, horizon_days) as angle,
        ln(2) / least(greatest(half_life_days / horizon_days, 1e-4), 1e4) * 2.4 / (2 * pi()) as lambda
    ) as circle,
    generate_series(1, harmonics) as k,
    -- exp raises an error where its result would be below the smallest number.
    lateral (select (case when k % 2 = 0 then 1 else -1 end) * exp(-least(lambda * pi(), 700)) as tail) as fold,
    lateral (
      select (1 - tail) / (1 + (k / lambda) ^ 2) * sqrt(medley.recency_damping(k, harmonics) * k) as amplitude
    ) as asked,
    lateral (values (1, cos(k * angle)), (2, sin(k * angle))) as entry(part, value)
  where half_life_days > 0
);

-- geo ---------------------------------------------------------------------------------------------------------------

-- Degrees. Also the query for the places nearest to it. Null outside -90 to 90 and -180 to 180.
create or replace function medley.encode_geo(lat float8, lon float8)
returns vector language sql immutable strict parallel safe
return case when abs(lat) <= 90 and abs(lon) <= 180 then array[
  cos(radians(lat)) * cos(radians(lon)), cos(radians(lat)) * sin(radians(lon)), sin(radians(lat))
]::vector end;

-- queries -----------------------------------------------------------------------------------------------------------

-- The segment of one part of a query. `space` is the space's entry in the catalogue: name, encoder, dimensions and the
-- encoder's parameters as configured. `part` is what a search says about it:
--   any space   an array of `dimensions` numbers: a segment, scaled to unit length
--   number      1999, "high" or "low"
--   category    "Comedy", ["Comedy", "Drama"] or {"Comedy": 0.7}
--   recency     {"now": "2026-01-31T12:00:00Z", "halfLifeDays": 90}, both optional; `at` is now where it names none
--   geo         {"lat": 52.1, "lon": 4.3}
-- The axes of a space that is reduced are no function here: of it only a segment can be said.
-- Raises 22023 with a hint for anything else.
create or replace function medley.encode_part(space jsonb, part jsonb, at timestamptz default now())
returns real[] language plpgsql stable parallel safe as $$
declare
  encoder text := space ->> 'encoder';
  place text := format('space "%s" (%s)', space ->> 'name', space ->> 'encoder');
  shown text := left(coalesce(part::text, 'null'), 60);
begin
  if jsonb_typeof(part) = 'array' and jsonb_typeof(part -> 0) = 'number' then
    return medley.raw_segment(space, part, place);
  elsif space ? 'reduced' then
    raise exception '%: % has to be encoded and reduced first', place, shown using errcode = '22023',
      hint = format('search with the medley command or over HTTP, or pass the segment: an array of %s numbers',
        space ->> 'dimensions');
  elsif encoder = 'number' then
    return medley.number_part(space, part, place, shown);
  elsif encoder = 'category' then
    return medley.category_part(space, part, place, shown);
  elsif encoder = 'recency' then
    return medley.recency_part(space, part, at, place, shown);
  elsif encoder = 'geo' then
    return medley.geo_part(part, place, shown);
  elsif encoder = 'text' and jsonb_typeof(part) = 'string' then
    raise exception '%: the text % has to be encoded by its model first', place, shown using errcode = '22023',
      hint = format('search with the medley command or over HTTP, or pass the segment: an array of %s numbers',
        space ->> 'dimensions');
  end if;
  raise exception '%: can''t read %', place, shown using errcode = '22023',
    hint = format('pass a segment: an array of %s numbers', space ->> 'dimensions');
end $$;

create or replace function medley.raw_segment(space jsonb, part jsonb, place text)
returns real[] language plpgsql immutable parallel safe as $$
declare
  dimensions int := (space ->> 'dimensions')::int;
  segment float8[];
begin
  if jsonb_array_length(part) <> dimensions then
    raise exception '%: the array has % numbers, but its segment has %', place, jsonb_array_length(part), dimensions
      using errcode = '22023', hint = format('pass %s numbers', dimensions);
  elsif exists (select from jsonb_array_elements(part) as entry(x) where jsonb_typeof(x) <> 'number') then
    raise exception '%: the array has an entry that is no number', place
      using errcode = '22023', hint = format('pass %s numbers', dimensions);
  end if;
  segment := array(select x::text::float8 from jsonb_array_elements(part) with ordinality as entry(x, i) order by i);
  if 0 = all (segment) then
    raise exception '%: the array has length 0: it has no direction', place
      using errcode = '22023', hint = 'leave the space out instead';
  end if;
  return medley.normalize(segment);
end $$;

create or replace function medley.number_part(space jsonb, part jsonb, place text, shown text)
returns real[] language plpgsql immutable parallel safe as $$
begin
  if part in ('"high"', '"low"') then
    return medley.query_number(part #>> '{}');
  elsif jsonb_typeof(part) = 'number' then
    return medley.encode_number(
      part::text::float8,
      (space -> 'range' ->> 0)::float8,
      (space -> 'range' ->> 1)::float8,
      coalesce(space ->> 'scale', 'linear')
    );
  end if;
  raise exception '%: % is no number', place, shown using errcode = '22023', hint = 'pass a number, "high" or "low"';
end $$;

-- A name that is not listed is most likely a typo: refused, but with `other`, which it then asks for.
create or replace function medley.category_part(space jsonb, part jsonb, place text, shown text)
returns real[] language plpgsql immutable parallel safe as $$
declare
  vocabulary text[] := array(
    select value from jsonb_array_elements_text(space -> 'values') with ordinality as entry(value, i) order by i
  );
  counts_other boolean := space ->> 'unknown' is not distinct from 'other';
  stranger text;
  well_formed boolean := case jsonb_typeof(part)
    when 'string' then true
    when 'array' then not exists (
      select from jsonb_array_elements(part) as entry(x) where jsonb_typeof(x) <> 'string'
    )
    when 'object' then not exists (
      select from jsonb_each(part) as entry(key, x)
      where case when jsonb_typeof(x) = 'number' then x::text::float8 < 0 else true end
    )
    else false
  end;
begin
  if well_formed is not true then
    raise exception '%: can''t read %', place, shown using errcode = '22023',
      hint = 'pass a category, an array of categories, or shares of at least 0 like {"Comedy": 0.7}';
  end if;
  stranger := medley.unknown_category(part, vocabulary);
  if stranger is not null and not counts_other then
    raise exception '%: category "%" is not one of its % values', place, stranger, cardinality(vocabulary)
      using errcode = '22023', hint = medley.known_values(vocabulary);
  end if;
  -- Where they are not counted there are none by now.
  return medley.encode_category(part, vocabulary, case when counts_other then 'other' else 'ignore' end);
end $$;

-- Null where it is none. Date only (read as UTC), or date and time with a zone: nothing that depends on the session's settings.
create or replace function medley_internal.iso_timestamp(value text)
returns timestamptz language plpgsql immutable strict parallel safe as $$
declare
  zoned text := value || case when length(value) = 10 then ' 00:00Z' else '' end;
begin
  if value !~ '^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}))?$'
    or not pg_input_is_valid(zoned, 'timestamptz') then return null; end if;
  return zoned::timestamptz;
end $$;

create or replace function medley.recency_part(space jsonb, part jsonb, at timestamptz, place text, shown text)
returns real[] language plpgsql stable parallel safe as $$
declare
  horizon_days float8 := (space ->> 'horizonDays')::float8;
  half_life_days float8 := coalesce((space ->> 'halfLifeDays')::float8, horizon_days / 4);
  asked jsonb;
begin
  if jsonb_typeof(part) is distinct from 'object' or part - array['now', 'halfLifeDays'] <> '{}' then
    raise exception '%: can''t read %', place, shown using errcode = '22023',
      hint = 'pass {"now": "2026-01-31T12:00:00Z", "halfLifeDays": 90}; both may be left out';
  end if;
  part := jsonb_strip_nulls(part);
  asked := part -> 'halfLifeDays';
  if asked is not null then
    half_life_days := case when jsonb_typeof(asked) = 'number' then asked::text::float8 end;
    if half_life_days > 0 is not true then
      raise exception '%: halfLifeDays is %; it must be a number above 0', place, left(asked::text, 60)
        using errcode = '22023', hint = 'pass days, like 90';
    end if;
  end if;
  asked := part -> 'now';
  if jsonb_typeof(asked) = 'number' then
    at := to_timestamp(asked::text::float8 / 1000);
  elsif asked is not null then
    at := case jsonb_typeof(asked) when 'string' then medley_internal.iso_timestamp(asked #>> '{}') end;
  end if;
  if asked is not null and at is null then
    raise exception '%: now is %, which is no time', place, left(asked::text, 60) using errcode = '22023',
      hint = 'pass an ISO 8601 time with its zone, or milliseconds since 1970';
  end if;
  return medley.query_recency(at, half_life_days, horizon_days, (space ->> 'dimensions')::int / 2);
end $$;

create or replace function medley.geo_part(part jsonb, place text, shown text)
returns real[] language plpgsql immutable parallel safe as $$
declare
  segment real[];
begin
  if jsonb_typeof(part -> 'lat') = 'number' and jsonb_typeof(part -> 'lon') = 'number' then
    segment := medley.encode_geo((part ->> 'lat')::float8, (part ->> 'lon')::float8);
  end if;
  if segment is null then
    raise exception '%: % is no place', place, shown using errcode = '22023',
      hint = 'pass {"lat": 52.1, "lon": 4.3}: latitude -90 to 90, longitude -180 to 180';
  end if;
  return segment;
end $$;
