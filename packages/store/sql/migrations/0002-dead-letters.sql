alter table medley_internal.dead_letters
  -- The delivery at which it was given up.
  add column attempt int not null default 1,
  -- W3C traceparent of what it came with.
  add column trace text;

-- Counts and replays look at open ones, which are few among all that ever were.
create index on medley_internal.dead_letters (collection, dead_letter_id) where replayed_at is null;

create or replace view medley.dead_letters as
select dead_letter_id, collection, record_id, version, stage, code, reason, payload, source, run_id, created_at, replayed_at, failures,
  attempt, trace
from medley_internal.dead_letters;
