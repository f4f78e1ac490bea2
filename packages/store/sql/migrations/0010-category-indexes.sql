-- Spaces of categories are searched by an inverted index over their field: many rows have equal segments, among which a graph of
-- segments finds some and misses the others. `medley index` builds them; the graphs go, and `medley analyze` learns anew.

do $$
declare
  graph text;
begin
  for graph in
    select format('%I', live_table || '_space_' || place)
    from medley_internal.collections, jsonb_array_elements(spaces) with ordinality as entry (space, place)
    where space ->> 'encoder' = 'category'
  loop
    execute 'drop index if exists medley_internal.' || graph;
  end loop;
end $$;

delete from medley_internal.search_statistics;
delete from medley_internal.search_weightings;
-- Milliseconds of each plan there; what a plan takes depends on how often its paths disagree.
alter table medley_internal.search_weightings add column costs vector not null;

-- Read by each search: in the row it needs no look-up of its own.
alter table medley_internal.search_statistics alter column mean set storage main;

-- Their parameters or results are others.
drop function if exists medley_internal.search_paths(medley_internal.collections);
drop function if exists medley_internal.index_definition(text, int, int, jsonb);
drop function if exists medley_internal.ordered_candidates(medley_internal.collections, jsonb, vector, halfvec, text, jsonb);
drop function if exists medley_internal.passing_rows(medley_internal.collections, text, jsonb);
drop function if exists medley_internal.united_candidates(
  medley_internal.collections, jsonb, vector, halfvec, int, text, jsonb
);
