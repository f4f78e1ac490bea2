-- What GraphSAGE spaces need to know of a graph, which is named by collection and field: "papers.cites". See functions/graphs.sql.

-- [{"field", "spaces": {...}}] that triggers follow; null: none.
alter table medley_internal.collections add column graphs jsonb;

-- The edges of live rows, so that a record's neighbours are found from both ends, and a few of a hub's without reading all.
create table medley_internal.graph_edge (
  graph text collate "C" not null,
  source text collate "C" not null,
  -- A record that need not exist yet, or no longer.
  target text collate "C" not null,
  weight float8 not null,
  -- The order in which a node's neighbours are drawn: as good as chance, and the same from both ends.
  draw int not null,
  primary key (graph, source, target)
);
create index on medley_internal.graph_edge (graph, target, draw, source);

-- Rows whose edges or features changed, in the transaction that changed them: those around are still to be found.
create table medley_internal.graph_change (
  position bigint generated always as identity primary key,
  graph text collate "C" not null,
  record_id text collate "C" not null,
  -- How far it is heard: 0 the record alone.
  hops int not null
);

-- Records that are to be encoded anew in their GraphSAGE spaces.
create table medley_internal.graph_refresh (
  position bigint generated always as identity primary key,
  collection text collate "C" not null,
  record_id text collate "C" not null,
  -- Until then somebody has it in hand; null: nobody had yet.
  leased_until timestamptz,
  tries int not null default 0
);
-- A record waits once. One that is in hand may wait again: what changed since may not have been read.
create unique index graph_refresh_waits on medley_internal.graph_refresh (collection, record_id) where leased_until is null;

-- Taken before a refresh reads: of two, the one with the higher number has read whatever the other's cause was.
create sequence medley_internal.graph_refresh_number;
