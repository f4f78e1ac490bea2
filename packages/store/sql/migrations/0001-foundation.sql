-- `medley` holds what users call: functions, a view per collection, dead letters. `medley_internal` holds the tables.
-- The runner makes both schemas and its ledger before the first migration.

create table medley_internal.collections (
  name text primary key,
  -- {"title": "text", ...}; json, which keeps their order
  fields json not null,
  -- [{"name", "encoder", "offset", "dimensions", "identity", ...the encoder's parameters}], in the vector's order
  spaces jsonb not null,
  -- {"plot": 1, ...}: of searches that name none
  weights jsonb not null,
  dimensions int not null,
  -- The generation's table in medley_internal.
  live_table text not null,
  created_at timestamptz not null default now()
);

create table medley_internal.dead_letters (
  dead_letter_id bigint generated always as identity primary key,
  -- Of collection, id, version, stage, source: the same letter again has no effect.
  dedupe_key bytea not null unique,
  collection text not null,
  record_id text,
  version bigint,
  stage text not null,
  code text not null,
  reason text not null,
  payload bytea not null,
  source text not null,
  run_id text,
  created_at timestamptz not null default now(),
  replayed_at timestamptz,
  -- More than 1: it came again, so a replay failed.
  failures int not null default 1
);
create index on medley_internal.dead_letters (collection, dead_letter_id);
create index on medley_internal.dead_letters (run_id) where run_id is not null;

create view medley.dead_letters as
select dead_letter_id, collection, record_id, version, stage, code, reason, payload, source, run_id, created_at, replayed_at, failures
from medley_internal.dead_letters;
comment on view medley.dead_letters is
  'Records that could not be processed, whole, with the reason. select code, count(*) from medley.dead_letters group by 1;';

create table medley_internal.backfill_run (
  run_id text primary key,
  collection text not null,
  source text not null,
  fingerprint text not null,
  base_version bigint not null,
  chunks_sent int not null,
  records_read bigint not null,
  done boolean not null,
  started_at timestamptz not null
);
create index on medley_internal.backfill_run (started_at);

-- One row per chunk whose records were all written, in the transaction that wrote them.
create table medley_internal.backfill_chunk (
  run_id text not null,
  chunk int not null,
  indexed int not null,
  tombstoned int not null,
  superseded int not null,
  dead_letters int not null,
  primary key (run_id, chunk)
);
