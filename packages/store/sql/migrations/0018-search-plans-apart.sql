-- Each plan that `medley analyze` has learned is a row, with all that a search needs of its paths: a search reads the one that it takes.
-- What was learned before lacks that, so it is forgotten: until `medley analyze` learns anew, searches go by the plan of a collection
-- that has not been analysed.

delete from medley_internal.search_weightings;
delete from medley_internal.search_statistics;
alter table medley_internal.search_statistics drop column plans;

create table medley_internal.search_plans (
  table_name text collate "C" not null references medley_internal.search_statistics on delete cascade,
  -- From 1: the place of its recall and its cost in search_weightings.
  number int not null,
  -- As medley_internal.path_candidates takes them.
  paths jsonb not null,
  primary key (table_name, number)
);

-- Their parameters are others, or nothing calls them any more.
drop function if exists medley_internal.certain_plan(jsonb, vector, int, float8);
drop function if exists medley_internal.learned_plan(
  medley_internal.collections, jsonb, medley_internal.search_statistics, vector, int, float8, float8
);
drop function if exists medley_internal.default_plan(medley_internal.collections, jsonb, vector, int, float8);
drop function if exists medley_internal.described_plan(jsonb, jsonb, int);
