-- What GraphSAGE says of a record depends on the records around it. A change of one is therefore kept in the transaction that makes it
-- (graph_changed, called by triggers), spread to those that hear of it (spread_graph_changes), and these are encoded anew.

create or replace function medley_internal.graph_draw(one text, other text)
returns int language sql immutable parallel safe as $$
  select hashtext(least(one collate "C", other collate "C") || ' ' || greatest(one collate "C", other collate "C"))
$$;

-- A row's edges are now these (null: it is gone), and the change is heard so far. Each edge is the row's own, so rows that are locked in
-- order lock these in order. A neighbour that is one no more hears less, and so do its neighbours.
create or replace function medley_internal.graph_changed(changed text, row_id text, edges jsonb, heard_hops int)
returns void language plpgsql as $$
begin
  if heard_hops > 0 then
    with removed as (
      delete from medley_internal.graph_edge
      where graph = changed and source = row_id and not coalesce(edges, '{}') ? target
      returning target
    )
    insert into medley_internal.graph_change (graph, record_id, hops) select changed, target, heard_hops - 1 from removed;
    insert into medley_internal.graph_edge as known (graph, source, target, weight, draw)
    select changed, row_id, key, value::float8, medley_internal.graph_draw(row_id, key)
    from jsonb_each_text(coalesce(edges, '{}'))
    on conflict (graph, source, target) do update set weight = excluded.weight where known.weight <> excluded.weight;
  end if;
  insert into medley_internal.graph_change (graph, record_id, hops) values (changed, row_id, heard_hops);
end $$;

-- Queues the records within reach of the oldest changes: at most `reach_max` of each, those of more are counted as `cut`. One
-- transaction, so a change is either still there or its refreshes are. Any number of processes may do so at once.
create or replace function medley_internal.spread_graph_changes(changes_max int, reach_max int)
returns table (changes int, cut int) language plpgsql as $$
declare
  change record;
  reached text[];
  frontier text[];
  found text[];
  room int;
  graphs text[] := '{}';
  ids text[] := '{}';
begin
  changes := 0;
  cut := 0;
  for change in
    with taken as (
      delete from medley_internal.graph_change where position in (
        select position from medley_internal.graph_change order by position limit changes_max for update skip locked
      )
      returning graph, record_id, hops
    )
    select graph, record_id, max(hops) as hops, count(*)::int as times from taken group by graph, record_id
  loop
    changes := changes + change.times;
    reached := array[change.record_id];
    frontier := reached;
    for hop in 1 .. change.hops loop
      room := reach_max - cardinality(reached);
      found := array(
        select near.other from unnest(frontier) as at (id) cross join lateral (
          (select target as other from medley_internal.graph_edge
            where graph = change.graph and source = at.id limit reach_max + 1)
          union all
          (select source from medley_internal.graph_edge
            where graph = change.graph and target = at.id order by draw limit reach_max + 1)
        ) as near
        except select unnest(reached)
        limit room + 1
      );
      if cardinality(found) > room then
        cut := cut + change.times;
        found := found[1 : room];
      end if;
      reached := reached || found;
      frontier := found;
      exit when cardinality(frontier) = 0;
    end loop;
    graphs := graphs || array_fill(change.graph, array[cardinality(reached)]);
    ids := ids || reached;
  end loop;
  -- In one order for all who spread: they wait for each other's keys.
  insert into medley_internal.graph_refresh (table_name, record_id)
  select distinct split_part(graph, '.', 1) as table_name, id from unnest(graphs, ids) as reach (graph, id) order by 1, 2
  on conflict (table_name, record_id) where leased_until is null do nothing;
  return next;
end $$;

-- Whether a table has rows that are still to hear of neighbours' changes.
create or replace function medley_internal.is_to_hear(wanted_table text)
returns boolean language sql stable as $$
  select exists (select from medley_internal.graph_change where split_part(graph, '.', 1) = wanted_table)
    or exists (select from medley_internal.graph_refresh where table_name = wanted_table)
$$;

-- Of a generation's table that is to go, once nobody writes into it. A change that is being spread is waited for: its refreshes are there
-- then.
create or replace function medley_internal.forget_graphs(gone_table text, graphs jsonb)
returns void language plpgsql as $$
declare
  field text;
begin
  delete from medley_internal.graph_change where split_part(graph, '.', 1) = gone_table;
  delete from medley_internal.graph_refresh where table_name = gone_table;
  for field in select graph ->> 'field' from jsonb_array_elements(graphs) as graph loop
    delete from medley_internal.graph_edge where graph = gone_table || '.' || field;
    execute format('drop function medley_internal.%I', gone_table || '_' || field);
  end loop;
end $$;
