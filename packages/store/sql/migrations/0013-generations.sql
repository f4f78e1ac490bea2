-- A generation is one table of a collection's rows, built with one set of encoders. One is live: `medley.<collection>` and every search
-- read it, and `collections` describes it. Beside it there may be another, which is being built or was live before. See
-- functions/generations.sql.

alter table medley_internal.collections add column generation int not null default 1;

-- Of collections that have two: both. A collection that has no entry has the one that `collections` describes.
create table medley_internal.generations (
  collection text collate "C" not null,
  generation int not null,
  -- building: takes over what the live one has, and follows it. live. kept: was live before, and follows so that it can be again.
  state text not null check (state in ('building', 'live', 'kept')),
  table_name text not null,
  -- As in `collections`, which says the same of the live one.
  fields json not null,
  spaces jsonb not null,
  weights jsonb not null,
  dimensions int not null,
  profiles jsonb,
  -- {"spaces": {...}, "lock": {...}}: what a process needs to open its encoders; null: what the processes were started with.
  encoders json,
  -- Of a generation that is being built: rows up to this id were noted when it began; null: none yet, or all.
  noted_through text,
  noted boolean not null default true,
  created_at timestamptz not null default now(),
  -- When it last became live.
  switched_at timestamptz,
  primary key (collection, generation)
);
create unique index on medley_internal.generations (collection, state);

-- Rows that were written in another generation, in the transaction that wrote them: `generation` is to have them too.
create table medley_internal.generation_change (
  position bigint generated always as identity primary key,
  collection text collate "C" not null,
  generation int not null,
  record_id text collate "C" not null,
  -- Until then somebody has it in hand; null: nobody had yet.
  leased_until timestamptz,
  tries int not null default 0
);
-- A record waits once per generation. One that is in hand may wait again: what changed since may not have been read.
create unique index generation_change_waits on medley_internal.generation_change (collection, generation, record_id)
  where leased_until is null;

-- Processes that search or embed, and whether they can with a generation's encoders.
create table medley_internal.generation_reader (
  instance text not null,
  collection text collate "C" not null,
  generation int not null,
  -- Null: it can.
  failure text,
  seen_at timestamptz not null,
  primary key (instance, collection, generation)
);

-- A profile is laid out as the rows of this generation.
alter table medley_internal.profiles add column generation int not null default 1;

-- What is learned of searches is about one generation's rows.
alter table medley_internal.search_statistics rename column collection to table_name;
alter table medley_internal.search_weightings rename column collection to table_name;
update medley_internal.search_statistics set table_name = live_table from medley_internal.collections where name = table_name;
update medley_internal.search_weightings set table_name = live_table from medley_internal.collections where name = table_name;
