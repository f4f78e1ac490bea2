-- A search's filter as a condition on the rows. Names come from the catalogue and are quoted; values are never part of
-- the text: the condition reads them from the filter, parameter $3 of the statement it is put into.
--
--   {"year": {"gte": 1990, "lt": 2000}, "title": "Jaws", "genres": {"any": ["Comedy"], "none": ["Horror"]},
--    "released": {"gte": "2001-01-01"}, "cites": {"any": ["a"]}, "place": {"within": {"lat": 52.1, "lon": 4.3, "km": 10}}, "plot": {"null": false}}
--
-- Beside the fields, "id" and, of a space that is tuned, "SPACE_label" and "SPACE_probability" can be named.
-- All conditions hold at once. A row without a value fails all but `ne`, `none` and {"null": true}.

create or replace function medley_internal.filter_types(found_row medley_internal.collections)
returns jsonb language sql stable parallel safe
begin atomic
  select found_row.fields::jsonb || '{"id": "text"}' || coalesce(jsonb_object_agg(name, type), '{}')
  from jsonb_array_elements(found_row.spaces) as space,
    lateral (values
      (space ->> 'name' || '_label', 'category'), (space ->> 'name' || '_probability', 'number')
    ) as label_columns (name, type)
  where space ? 'tuned';
end;

create or replace function medley_internal.filter_condition(found_row medley_internal.collections, filter jsonb)
returns text language plpgsql stable parallel safe as $$
declare
  fields jsonb;
  field text;
  wanted jsonb;
  operator text;
  conditions text[] := '{}';
  listed text[];
begin
  if filter is null then return 'true'; end if;
  listed := array(select entry.field from medley_internal.filter_indexes as entry where collection = found_row.name);
  fields := medley_internal.filter_types(found_row);
  if jsonb_typeof(filter) <> 'object' then
    raise exception 'the filter is no object' using errcode = '22023', hint = 'pass one like {"year": {"gte": 1990}}';
  end if;
  for field, wanted in select * from jsonb_each(filter) loop
    if not fields ? field then
      raise exception 'collection "%" has no field "%"', found_row.name, field using errcode = '22023',
        hint = (select 'known: ' || string_agg(known, ', ' order by known) from jsonb_object_keys(fields) as known);
    end if;
    if jsonb_typeof(wanted) = 'object' then
      for operator in select jsonb_object_keys(wanted) loop
        if field = 'id' and operator = 'unseenBy' then
          conditions := conditions || medley_internal.unseen_condition(found_row, wanted -> operator);
          continue;
        end if;
        conditions := conditions || medley_internal.field_condition(
          field, fields ->> field, operator, wanted -> operator, array[field, operator], field = any (listed)
        );
      end loop;
    else
      conditions := conditions || medley_internal.field_condition(
        field, fields ->> field,
        case when wanted = 'null' then 'null' when fields ->> field in ('categories', 'shares', 'edges') then 'any' else 'eq' end,
        wanted, array[field], field = any (listed)
      );
    end if;
  end loop;
  return coalesce(array_to_string(nullif(conditions, '{}'), ' and '), 'true');
end $$;

-- No record that one of the user's events names; "unseenBy" of "id".
create or replace function medley_internal.unseen_condition(found_row medley_internal.collections, wanted jsonb)
returns text language plpgsql immutable parallel safe as $$
begin
  perform medley_internal.check_filter_value('id', 'text', 'unseenBy', wanted);
  return format(
    'row.id not in (select medley_internal.seen_by(%L, medley_internal.filter_text($3 #> ''{id,unseenBy}'')))',
    found_row.name
  );
end $$;

-- `path`: where the value lies in the filter. `listed`: whether the field has an index for filters.
create or replace function medley_internal.field_condition(
  field text, type text, operator text, wanted jsonb, path text[], listed boolean
)
returns text language plpgsql immutable parallel safe as $$
declare
  ordered jsonb := '{"eq": "=", "ne": "is distinct from", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}';
  known text[] := case
    when type in ('text', 'category', 'number', 'timestamp') then array['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'null']
    when type in ('categories', 'shares', 'edges') then array['any', 'all', 'none', 'null']
    when type = 'geo' then array['within', 'null']
    else array['null']
  end;
  bare_type text := case when type = 'category' then 'text' else type end;
  compared text := case when bare_type = 'text' then medley_internal.compared_text(field, wanted, listed) else format('row.%I', field) end;
begin
  if not operator = any (known) then
    raise exception 'field "%" (%) has no operator "%"', field, type, operator using errcode = '22023',
      hint = 'known: ' || array_to_string(known, ', ');
  elsif operator = 'null' then
    if not wanted in ('true', 'false', 'null') then
      raise exception 'field "%": "null" is %, neither true nor false', field, left(wanted::text, 60)
        using errcode = '22023', hint = 'pass {"null": true} or {"null": false}';
    end if;
    return format('row.%I is %s null', field, case when wanted = 'false' then 'not' else '' end);
  elsif operator = 'within' then
    return medley_internal.within_condition(field, wanted, path);
  elsif operator = 'in' then
    perform medley_internal.check_filter_list(field, bare_type, operator, wanted);
    return format('%s = any (array(select medley_internal.filter_%s(x) from jsonb_array_elements($3 #> %L) as x))',
      compared, bare_type, path);
  elsif type in ('categories', 'shares', 'edges') then
    if jsonb_typeof(wanted) <> 'string' then
      perform medley_internal.check_filter_list(field, 'text', operator, wanted);
    end if;
    return format(
      case when operator = 'none' then '(row.%1$I is null or not row.%1$I %2$s medley_internal.filter_texts($3 #> %3$L))'
        else 'row.%1$I %2$s medley_internal.filter_texts($3 #> %3$L)' end,
      field,
      case when type = 'categories' then case operator when 'all' then '@>' else '&&' end
        else case operator when 'all' then '?&' else '?|' end end,
      path);
  end if;
  perform medley_internal.check_filter_value(field, bare_type, operator, wanted);
  return format('%s %s medley_internal.filter_%s($3 #> %L)', compared, ordered ->> operator, bare_type, path);
end $$;

-- The beginning of a text is on the same side of a shorter one as the text itself.
create or replace function medley_internal.compared_text(field text, wanted jsonb, listed boolean)
returns text language plpgsql immutable parallel safe as $$
begin
  if listed and (
    select bool_and(char_length(x #>> '{}') < medley_internal.filter_prefix())
    from jsonb_array_elements(case jsonb_typeof(wanted) when 'array' then wanted else jsonb_build_array(wanted) end) as x
  ) then
    return format('left(row.%I, %s) collate "C"', field, medley_internal.filter_prefix());
  end if;
  return format('row.%I collate "C"', field);
end $$;

-- Great circle on a sphere of the Earth's mean radius; `row.x[0]` is the longitude.
create or replace function medley_internal.within_condition(field text, wanted jsonb, path text[])
returns text language plpgsql immutable parallel safe as $$
begin
  if not coalesce(
    jsonb_typeof(wanted -> 'lat') = 'number' and jsonb_typeof(wanted -> 'lon') = 'number'
      and jsonb_typeof(wanted -> 'km') = 'number',
    false
  ) then
    raise exception 'field "%": "within" is no place and distance', field using errcode = '22023',
      hint = 'pass {"lat": 52.1, "lon": 4.3, "km": 10}';
  end if;
  return format('medley_internal.distance_km(row.%I, ($3 #> %L)::float8, ($3 #> %L)::float8) <= ($3 #> %L)::float8',
    field, path || 'lat'::text, path || 'lon'::text, path || 'km'::text);
end $$;

create or replace function medley_internal.distance_km(place point, lat float8, lon float8)
returns float8 language sql immutable strict parallel safe
return 2 * 6371.0088 * asin(least(1, sqrt(
  sin(radians(place[1] - lat) / 2) ^ 2 + cos(radians(place[1])) * cos(radians(lat)) * sin(radians(place[0] - lon) / 2) ^ 2
)));

create or replace function medley_internal.check_filter_list(field text, type text, operator text, wanted jsonb)
returns void language plpgsql immutable parallel safe as $$
begin
  if jsonb_typeof(wanted) <> 'array' then
    raise exception 'field "%": "%" takes an array', field, operator using errcode = '22023',
      hint = format('{"%s": {"%s": [...]}}', field, operator);
  end if;
  perform medley_internal.check_filter_value(field, type, operator, x) from jsonb_array_elements(wanted) as x;
end $$;

create or replace function medley_internal.check_filter_value(field text, type text, operator text, wanted jsonb)
returns void language plpgsql immutable parallel safe as $$
declare
  fits boolean := case type
    when 'number' then jsonb_typeof(wanted) = 'number'
    when 'timestamp' then jsonb_typeof(wanted) = 'number'
      or jsonb_typeof(wanted) = 'string' and medley_internal.iso_timestamp(wanted #>> '{}') is not null
    else jsonb_typeof(wanted) = 'string'
  end;
begin
  if fits then return; end if;
  raise exception 'field "%": "%" can''t be compared with %', field, operator, left(wanted::text, 60)
    using errcode = '22023', hint = case type
      when 'timestamp' then 'pass a date like "2001-01-31", a time with its zone like "2001-01-31T12:00:00Z", or milliseconds since 1970'
      else format('pass a %s', type)
    end;
end $$;

create or replace function medley_internal.filter_text(value jsonb)
returns text language sql immutable parallel safe return value #>> '{}';

create or replace function medley_internal.filter_number(value jsonb)
returns float8 language sql immutable parallel safe return value::float8;

create or replace function medley_internal.filter_timestamp(value jsonb)
returns timestamptz language plpgsql immutable parallel safe as $$
begin
  return case jsonb_typeof(value) when 'number' then to_timestamp(value::float8 / 1000) else medley_internal.iso_timestamp(value #>> '{}') end;
end $$;

-- One name, or an array of them.
create or replace function medley_internal.filter_texts(value jsonb)
returns text[] language plpgsql immutable parallel safe as $$
begin
  return case jsonb_typeof(value)
    when 'string' then array[value #>> '{}']
    else array(select jsonb_array_elements_text(value))
  end;
end $$;
