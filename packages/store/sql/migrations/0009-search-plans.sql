-- What a search's plan is chosen by. See functions/search-plan.sql; `medley analyze` writes it.

-- Ranges of a field's values: best rows at the low ends of `rising`, at the high ends of `falling`, and perhaps without a value.
create type medley_internal.ordered_ranges as (
  rising_low float8[], rising_high float8[], falling_low float8[], falling_high float8[], missing boolean
);

create table medley_internal.search_statistics (
  collection text collate "C" primary key,
  analyzed_at timestamptz not null default now(),
  -- Live rows then, and the milliseconds to read them all and to score them all.
  rows float8 not null,
  scan_ms float8 not null,
  score_ms float8 not null,
  -- Of the rows' vectors: it says on which side of a space a query lies.
  mean vector not null,
  -- [{"paths": [{"place", "depth"}], "ms"}]: in order of cost; `place` 0 is the fused index, else the space's.
  plans jsonb not null
);

-- Recall at 10 of each plan, in their order, at sampled weightings.
create table medley_internal.search_weightings (
  collection text collate "C" not null,
  -- Per space, the size of its weight; below 0 on the far side. Of length 1.
  shares vector not null,
  recalls vector not null
);
create index on medley_internal.search_weightings (collection);

-- It has got a parameter more.
drop function if exists medley.search(text, vector, int, jsonb);
drop function if exists medley_internal.candidates(medley_internal.collections, vector, int, jsonb);
drop function if exists medley_internal.index_candidates(medley_internal.collections, halfvec, int, text, jsonb);
drop function if exists medley_internal.is_even(medley_internal.collections, vector);
