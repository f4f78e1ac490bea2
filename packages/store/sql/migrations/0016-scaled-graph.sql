-- The graph over all spaces is over scaled segments where a collection has spaces that other indexes find (functions/search-paths.sql).
-- `medley index` builds it, and `medley analyze` learns anew; until then searches scan.

do $$
declare
  graph text;
begin
  for graph in
    select format('%I', table_name || '_hnsw')
    from (
      select live_table as table_name, spaces from medley_internal.collections
      union select table_name, spaces from medley_internal.generations
    ) as generation
    where 2 = (
      select count(distinct space ->> 'encoder' in ('number', 'recency', 'category')) from jsonb_array_elements(spaces) as space
    )
  loop
    execute 'drop index if exists medley_internal.' || graph;
  end loop;
end $$;

delete from medley_internal.search_statistics;
delete from medley_internal.search_weightings;
-- Milliseconds that each plan takes more where its paths are read once as far again, as under a filter that half of the rows pass.
alter table medley_internal.search_statistics add column growths real[] not null;

-- Their parameters are others.
drop function if exists medley_internal.index_definition(text, int, int, text, text);
drop function if exists medley_internal.graph_rows(text, jsonb, text);
drop function if exists medley_internal.certain_plan(jsonb, vector, int);
drop function if exists medley_internal.learned_plan(
  medley_internal.collections, jsonb, medley_internal.search_statistics, vector, int, float8
);
drop function if exists medley_internal.default_plan(medley_internal.collections, jsonb, vector, int);
