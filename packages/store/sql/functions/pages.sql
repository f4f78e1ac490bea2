-- The hits behind another one, by its score and id: a page goes on where the one before ended, whatever was written meanwhile. A row
-- that has not changed has the same score, so it is in one page only and, of what a search finds, left out of none. A row that
-- changed may have moved over the place where a page ended: then it comes a second time, or not at all.
--
--   {"score": 1.25, "id": "tt0111161", "place": 10}    -- the last hit of the page before

-- Indexes give first rows only, so they are read from the first on; behind the thousandth hit all rows are scored.
create or replace function medley_internal.page_ids(
  found_row medley_internal.collections, query vector, k int, depth int, recall float8, filter jsonb, after jsonb
)
returns text[] language plpgsql stable as $$
begin
  return medley_internal.kept_ids(
    found_row, query, wanted => k, enough => k, depth => depth, recall => recall, filter => filter,
    keep => 'select id, score from scored where score < ($5 ->> ''score'')::float8
      or score = ($5 ->> ''score'')::float8 and id collate "C" > $5 ->> ''id''',
    options => after
  );
end $$;

create or replace function medley_internal.check_after(k int, after jsonb)
returns void language plpgsql immutable parallel safe as $$
begin
  if after is null then return; end if;
  if not coalesce(
    jsonb_typeof(after -> 'score') = 'number' and jsonb_typeof(after -> 'id') = 'string' and jsonb_typeof(after -> 'place') = 'number',
    false
  ) then
    raise exception '"after" is no hit' using errcode = '22023',
      hint = 'pass the score, id and place of the last hit before, like {"score": 1.25, "id": "a", "place": 10}';
  elsif not (after -> 'place')::float8 between 0 and 10000 - k then
    raise exception 'the page ends behind hit 10000' using errcode = '22023',
      hint = 'narrow the search with a filter, or read the rows of the collection''s view in order of id';
  end if;
end $$;
