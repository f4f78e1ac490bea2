-- At most some hits of each value of a field: {"field": "studio", "max": 2}. Rows without a value are in no group: all of them may
-- be hits. There are k hits wherever k rows remain, although a scan may be needed to find them.

-- The best rows, in order: `wanted` of them, or k where no more are at hand.
create or replace function medley_internal.grouped_ids(
  found_row medley_internal.collections, query vector, k int, wanted int, depth int, recall float8, filter jsonb, per_group jsonb
)
returns text[] language plpgsql stable as $$
declare
  field text := medley_internal.group_field(found_row, per_group);
begin
  return medley_internal.kept_ids(
    found_row, query, wanted, enough => k, depth => depth, recall => recall, filter => filter,
    keep => 'select id, score from (
        select id, score, value, row_number() over (partition by value order by score desc, id collate "C") as nth from scored
      ) as numbered where value is null or nth <= ($5 ->> ''max'')::int',
    options => per_group, extra => format(', row.%I as value', field)
  );
end $$;

create or replace function medley_internal.group_field(found_row medley_internal.collections, per_group jsonb)
returns text language plpgsql stable parallel safe as $$
declare
  fields jsonb := medley_internal.filter_types(found_row);
  field text := per_group ->> 'field';
begin
  if not coalesce(jsonb_typeof(per_group -> 'field') = 'string' and per_group - 'field' - 'max' = '{}'
    and per_group ->> 'max' ~ '^[1-9]\d{0,3}$', false)
  then
    raise exception 'the groups are % and no field with the most hits of a value', left(per_group::text, 60)
      using errcode = '22023', hint = 'pass an object like {"field": "studio", "max": 2}; max is 1 or more';
  elsif fields ->> field is distinct from 'category' then
    raise exception 'collection "%" has no category "%" to group by', found_row.name, left(field, 60) using errcode = '22023',
      hint = coalesce(
        (select 'known: ' || string_agg(key, ', ' order by key) from jsonb_each_text(fields) where value = 'category'),
        'no field of it is a category'
      );
  end if;
  return field;
end $$;
