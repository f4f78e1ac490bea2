-- Indexes of fields that filters read, beside those that spaces have (search-paths.sql). A text may be longer than an entry of a b-tree, so its
-- index is over its beginning: what it is compared with is shorter than that, or the whole text is compared, which no index serves.

create or replace function medley_internal.filter_prefix()
returns int language sql immutable parallel safe return 200;

-- What follows `create index NAME on TABLE`; null for a type whose filters no index serves. Of an expression Postgres takes its statistics from
-- an index over all rows alone.
create or replace function medley_internal.filter_index(field text, type text)
returns text language sql immutable parallel safe
return case
  when type in ('text', 'category') then format('((left(%I, %s)) collate "C")', field, medley_internal.filter_prefix())
  when type in ('number', 'timestamp') then format('(%I) where deleted_at is null', field)
  when type in ('categories', 'shares', 'edges') then format('using gin (%I) where deleted_at is null', field)
end;

create or replace function medley_internal.filter_indexes_of(found_row medley_internal.collections)
returns table (field text, index_name text, definition text) language plpgsql stable parallel safe as $$
declare
  types jsonb := medley_internal.filter_types(found_row);
begin
  return query
    select listed.field, found_row.live_table || '_filter_' || left(md5(listed.field), 8),
      medley_internal.filter_index(listed.field, types ->> listed.field)
    from medley_internal.filter_indexes as listed
    -- A generation may have lost the field, or its type.
    where collection = found_row.name and medley_internal.filter_index(listed.field, types ->> listed.field) is not null;
end $$;
