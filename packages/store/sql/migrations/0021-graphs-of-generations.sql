-- Each generation's rows have graphs of their own, named by their table and the field: "papers_g1.cites", which was "papers.cites". So far
-- a collection with a graph had its first generation alone.

-- As in `collections`.
alter table medley_internal.generations add column graphs jsonb;
-- Of rows that were there when the generation was begun, the note that came last; null: not all are noted yet, or there were none.
alter table medley_internal.generations add column noted_position bigint;

alter table medley_internal.graph_refresh rename column collection to table_name;
update medley_internal.graph_refresh set table_name = table_name || '_g1';
update medley_internal.graph_change set graph = split_part(graph, '.', 1) || '_g1.' || split_part(graph, '.', 2);
update medley_internal.graph_edge set graph = split_part(graph, '.', 1) || '_g1.' || split_part(graph, '.', 2);

do $$
declare
  trigger_function text;
begin
  for trigger_function in
    select replace(pg_get_functiondef(pg_proc.oid), quote_literal(name || '.' || field), quote_literal(name || '_g1.' || field))
    from medley_internal.collections cross join jsonb_array_elements(graphs) as graph cross join lateral (select graph ->> 'field' as field) as of
    join pg_proc on proname = name || '_g1_' || field and pronamespace = 'medley_internal'::regnamespace
  loop
    execute trigger_function;
  end loop;
end $$;
