-- What the other functions know of a collection. A name that is not there raises P0002, a space that is not 22023.

create or replace function medley_internal.collection_of(wanted text)
returns medley_internal.collections language plpgsql stable parallel safe as $$
declare
  found_row medley_internal.collections;
begin
  select * into found_row from medley_internal.collections where name = wanted;
  if found_row.name is null then
    raise exception 'there is no collection "%"', wanted using errcode = 'P0002',
      hint = coalesce(
        (select 'known: ' || string_agg(name, ', ' order by name) from medley_internal.collections),
        'there are none: run medley migrate'
      );
  end if;
  return found_row;
end $$;

create or replace function medley_internal.space_of(found_row medley_internal.collections, wanted text)
returns jsonb language plpgsql stable parallel safe as $$
declare
  space jsonb;
begin
  select entry into space from jsonb_array_elements(found_row.spaces) as entry where entry ->> 'name' = wanted;
  if space is null then
    raise exception 'collection "%" has no space "%"', found_row.name, wanted using errcode = '22023',
      hint = 'known: ' || medley_internal.space_names(found_row);
  end if;
  return space;
end $$;

create or replace function medley_internal.space_names(found_row medley_internal.collections)
returns text language plpgsql stable parallel safe as $$
begin
  return (
    select string_agg(entry ->> 'name', ', ' order by place)
    from jsonb_array_elements(found_row.spaces) with ordinality as spaces(entry, place)
  );
end $$;

-- Of a collection's spaces: where each segment starts, from 1.
create or replace function medley_internal.segments(found_row medley_internal.collections)
returns table (name text, start int, dimensions int) language sql stable parallel safe
begin atomic
  select space ->> 'name', (space ->> 'offset')::int + 1, (space ->> 'dimensions')::int
  from jsonb_array_elements(found_row.spaces) as space;
end;

-- The view of a collection's live rows in schema medley_internal. It belongs to one generation, as what is known of the collection does:
-- a search that has read the one before reads that one's rows.
create or replace function medley_internal.rows_view(found_row medley_internal.collections)
returns text language sql immutable parallel safe
return found_row.live_table || '_rows';
