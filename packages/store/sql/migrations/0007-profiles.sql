-- {"events": {"like": 3, ...}, "halfLifeDays", "eventsMax"}; null: the collection takes no events.
alter table medley_internal.collections add column profiles jsonb;

-- What users did with records: the latest `eventsMax` of each. See functions/profiles.sql.
create table medley_internal.profile_events (
  collection text collate "C" not null,
  user_id text collate "C" not null,
  event_id text collate "C" not null,
  -- A record that need not exist yet, or no longer.
  item_id text collate "C" not null,
  kind text not null,
  at timestamptz not null,
  -- Of two events with one id the higher one is right.
  version bigint not null,
  primary key (collection, user_id, event_id)
);

create table medley_internal.profiles (
  collection text collate "C" not null,
  user_id text collate "C" not null,
  -- Laid out as a row's; null where no event counts.
  embedding halfvec,
  event_count int not null default 0,
  updated_at timestamptz not null default now(),
  -- A user who was forgotten: what had happened or arrived until then stays away.
  forgotten_at timestamptz,
  forgotten_version bigint,
  primary key (collection, user_id)
);
