-- Graphs may be over fewer dimensions than the rows have: along axes, which `medley index --dimensions` fits to the rows. Of spaces that are
-- read whole there is none here. See functions/search-paths.sql.

create table medley_internal.graph_axes (
  table_name text collate "C" not null,
  -- Of the space in the collection, from 1.
  place int not null,
  dimensions int not null,
  -- As many, each as long as the space's segments, at right angles and of length 1.
  axes halfvec[] not null,
  primary key (table_name, place)
);
-- Numbers that look random don't get shorter, and are read for each row that is written.
alter table medley_internal.graph_axes alter column axes set storage external;

-- What was learned says of each graph that it is whole.
update medley_internal.search_plans
set paths = (
  select jsonb_agg(path || '{"shortened": {}}' order by place) from jsonb_array_elements(paths) with ordinality as entry (path, place)
);

-- Their parameters are others; each calls the ones below it.
drop function if exists medley_internal.index_definition(medley_internal.collections, text, int, int, text, text, int);
drop function if exists medley_internal.graph_vector(medley_internal.collections, text, int, int, text);
drop function if exists medley_internal.scaled(jsonb, text, boolean, text);
drop function if exists medley_internal.search_paths(medley_internal.collections);
