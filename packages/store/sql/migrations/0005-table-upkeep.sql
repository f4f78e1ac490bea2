-- What packages/store/src/migrations/collection-tables.ts gives a new table, which says why.
do $$
declare
  live text;
begin
  for live in select live_table from medley_internal.collections loop
    execute format(
      'alter table medley_internal.%I set (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.1,
        autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_limit = 1000)', live
    );
  end loop;
end $$;
