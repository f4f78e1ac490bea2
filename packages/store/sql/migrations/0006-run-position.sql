-- Where a run is in a source that is read by key: {"after", "through"}; null: it is read by counting.
alter table medley_internal.backfill_run add column position jsonb;
