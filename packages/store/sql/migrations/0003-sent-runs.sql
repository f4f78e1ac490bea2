-- A backfill whose chunks have all been sent is done when the last of them is, whoever writes that one: its sender may be
-- gone by then.
alter table medley_internal.backfill_run add column all_sent boolean not null default false;
update medley_internal.backfill_run set all_sent = true where done;
