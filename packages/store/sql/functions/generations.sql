-- Generations of a collection's rows: the states are building -> live <-> kept, and a generation that is not live may be dropped.
-- begin_generation makes one (building); while it is there, each write of a row notes the row for the other generation, and whoever embeds
-- carries it over; switch_generation makes it live and the other one kept, in one transaction, and may be called again to go back;
-- drop_generation ends what is not live. Rows are carried both ways, so neither misses what was written into the other.

-- Processes listen, and look at what there is when a generation begins, becomes live or ends.
create or replace function medley_internal.tell_generations()
returns trigger language plpgsql as $$
begin
  perform pg_notify('medley_generations', '');
  return null;
end $$;

create or replace trigger tell after insert or delete on medley_internal.generations
  for each statement execute function medley_internal.tell_generations();

-- Of rows that the carriers themselves write nothing is noted. A note that waits already is locked until the row is there to be read: one
-- that could be taken meanwhile would go with the row as it was.
create or replace function medley_internal.note_changed_rows()
returns trigger language plpgsql as $$
begin
  if current_setting('medley.carries', true) = 'on' then return null; end if;
  insert into medley_internal.generation_change (collection, generation, record_id)
  select tg_argv[0], other.generation, changed.id
  from changed_rows as changed, medley_internal.generations as other
  where other.collection = tg_argv[0] and other.table_name <> tg_table_name
  -- Rows that are written together are noted in one order by all.
  order by other.generation, changed.id
  on conflict (collection, generation, record_id) where leased_until is null do update set record_id = excluded.record_id;
  return null;
end $$;

create or replace function medley_internal.follow_generation(wanted text, table_name text)
returns void language plpgsql as $$
declare
  event text;
begin
  foreach event in array array['insert', 'update'] loop
    execute format(
      'create or replace trigger generation_%s after %1$s on medley_internal.%I
       referencing new table as changed_rows for each statement execute function medley_internal.note_changed_rows(%L)',
      event, table_name, wanted);
  end loop;
end $$;

-- What the live generation has is to be had by a new one too: notes a number of its rows, in the order of their ids; returns how many, 0
-- where all are noted. Triggers follow the rows already, so what is written meanwhile is noted by them.
create or replace function medley_internal.note_rows(wanted text, wanted_generation int, rows_max int)
returns int language plpgsql as $$
declare
  begun medley_internal.generations;
  ids text[];
begin
  select * into begun from medley_internal.generations where collection = wanted and generation = wanted_generation for update;
  if begun.collection is null then
    raise exception 'collection "%" has no generation %', wanted, wanted_generation using errcode = '22023';
  end if;
  if begun.noted then return 0; end if;
  execute format('select array(select id from medley_internal.%I where $1 is null or id > $1 order by id limit $2)',
    (select live_table from medley_internal.collections where name = wanted)) into ids using begun.noted_through, rows_max;
  insert into medley_internal.generation_change (collection, generation, record_id)
  select wanted, wanted_generation, id from unnest(ids) as id
  on conflict (collection, generation, record_id) where leased_until is null do nothing;
  update medley_internal.generations set noted_through = ids[cardinality(ids)], noted = cardinality(ids) < rows_max, noted_position = (
    select max(position) from medley_internal.generation_change where collection = wanted and generation = wanted_generation
  )
  where collection = wanted and generation = wanted_generation;
  return cardinality(ids);
end $$;

-- Whether a table has the rows that were there when its generation was begun: until then most neighbours have nothing to say there.
create or replace function medley_internal.is_filled(wanted_table text)
returns boolean language sql stable as $$
  select not exists (
    select from medley_internal.generations as begun
    where begun.table_name = wanted_table and begun.state = 'building' and (not begun.noted or exists (
      select from medley_internal.generation_change as change
      where change.collection = begun.collection and change.generation = begun.generation and change.position <= begun.noted_position
    ))
  )
$$;

-- What can't be replaced (a column gone, or one that says its dimensions) is made anew, with the rights that others have on it and its
-- columns, its options and its comment. A view of somebody's own that reads it would stand in the way then: 2BP01.
create or replace function medley_internal.replace_view(wanted text, view_sql text)
returns void language plpgsql set search_path from current as $$
declare
  -- No collection has a space in its name.
  before text := 'before ' || md5(wanted);
  old_view regclass;
  given record;
begin
  begin
    execute view_sql;
    return;
  exception when invalid_table_definition then null;
  end;
  execute format('alter view medley.%I rename to %I', wanted, before);
  execute view_sql;
  old_view := format('medley.%I', before)::regclass;
  for given in
    select format('grant %s%s on medley.%I to %s%s', privilege_type, case when attname is null then '' else format(' (%I)', attname) end, wanted,
      case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
      case when is_grantable then ' with grant option' else '' end) as statement
    from (
      select null as attname, relacl as acl from pg_class where oid = old_view
      union all
      select old.attname, old.attacl from pg_attribute as old
        join pg_attribute as kept on kept.attrelid = format('medley.%I', wanted)::regclass and kept.attname = old.attname
      where old.attrelid = old_view and old.attnum > 0 and not old.attisdropped and not kept.attisdropped
    ) as columns, aclexplode(acl)
    where grantee <> (select relowner from pg_class where oid = old_view)
    union all
    select format('alter view medley.%I set (%s = %L)', wanted, option_name, option_value)
    from pg_class, pg_options_to_table(reloptions) where oid = old_view
    union all
    select format('comment on view medley.%I is %L', wanted, obj_description(old_view, 'pg_class'))
    where obj_description(old_view, 'pg_class') is not null
  loop
    execute given.statement;
  end loop;
  execute format('drop view medley.%I', before);
end $$;

-- Raises 55000 where rows are still to be carried over: nothing has changed then. A short lock_timeout is the caller's to set, since the
-- view waits for searches under way, and searches would wait behind it.
create or replace function medley_internal.switch_generation(wanted text, wanted_generation int, view_sql text)
returns void language plpgsql set search_path from current as $$
declare
  target medley_internal.generations;
begin
  select * into target from medley_internal.generations
  where collection = wanted and generation = wanted_generation and state in ('building', 'kept') for update;
  if target.collection is null then
    raise exception 'collection "%" has no generation % that could become live', wanted, wanted_generation using errcode = '22023';
  elsif not target.noted or exists (
    select from medley_internal.generation_change where collection = wanted and generation = wanted_generation
  ) then
    raise exception 'rows are still to be carried over' using errcode = '55000';
  end if;
  perform medley_internal.replace_view(wanted, view_sql);
  -- One of each state at a time, also in between.
  delete from medley_internal.generations where collection = wanted and generation = wanted_generation;
  update medley_internal.generations set state = 'kept' where collection = wanted and state = 'live';
  insert into medley_internal.generations (collection, generation, state, table_name, fields, spaces, weights, dimensions, profiles,
    graphs, texts, classes, encoders, created_at, switched_at)
  values (target.collection, target.generation, 'live', target.table_name, target.fields, target.spaces, target.weights,
    target.dimensions, target.profiles, target.graphs, target.texts, target.classes, target.encoders, target.created_at, now());
  update medley_internal.collections set generation = target.generation, live_table = target.table_name, fields = target.fields,
    spaces = target.spaces, weights = target.weights, dimensions = target.dimensions, profiles = target.profiles,
    graphs = target.graphs, texts = target.texts, classes = target.classes
  where name = wanted;
end $$;

-- A short lock_timeout is the caller's to set: the tables wait for searches and writes under way, and others would wait behind.
create or replace function medley_internal.drop_generation(wanted text, wanted_generation int)
returns void language plpgsql as $$
declare
  dropped medley_internal.generations;
  event text;
  table_name text;
begin
  delete from medley_internal.generations
  where collection = wanted and generation = wanted_generation and state <> 'live' returning * into dropped;
  if dropped.collection is null then
    raise exception 'collection "%" has no generation % that could be dropped', wanted, wanted_generation using errcode = '22023';
  end if;
  -- Of a pair only the live one is left.
  delete from medley_internal.generations where collection = wanted;
  execute format('drop view if exists medley_internal.%I', dropped.table_name || '_rows');
  execute format('drop table medley_internal.%I', dropped.table_name);
  perform medley_internal.forget_graphs(dropped.table_name, dropped.graphs);
  for event, table_name in
    select unnest(array['insert', 'update']), live_table from medley_internal.collections where name = wanted
  loop
    execute format('drop trigger if exists generation_%s on medley_internal.%I', event, table_name);
  end loop;
  -- Now that nobody writes: what was being written just before has been noted, too.
  delete from medley_internal.generation_change where collection = wanted;
  delete from medley_internal.generation_reader where collection = wanted and generation = wanted_generation;
  delete from medley_internal.search_weightings as learned where learned.table_name = dropped.table_name;
  delete from medley_internal.search_statistics as learned where learned.table_name = dropped.table_name;
  delete from medley_internal.graph_axes as fitted where fitted.table_name = dropped.table_name;
end $$;

-- A collection as `collections` would describe it if this generation were live: for functions that take such a row. Null: that which is.
create or replace function medley_internal.as_generation(wanted text, wanted_generation int)
returns medley_internal.collections language plpgsql stable as $$
declare
  described medley_internal.collections := medley_internal.collection_of(wanted);
  other medley_internal.generations;
begin
  if wanted_generation is null then return described; end if;
  select * into other from medley_internal.generations where collection = wanted and generation = wanted_generation;
  if other.collection is null then
    if described.generation = wanted_generation then return described; end if;
    raise exception 'collection "%" has no generation %', wanted, wanted_generation using errcode = '22023';
  end if;
  described.generation := other.generation;
  described.live_table := other.table_name;
  described.fields := other.fields;
  described.spaces := other.spaces;
  described.weights := other.weights;
  described.dimensions := other.dimensions;
  described.profiles := other.profiles;
  described.graphs := other.graphs;
  described.texts := other.texts;
  described.classes := other.classes;
  return described;
end $$;

-- Answers the name, where the generation that a query was encoded for is the live one. Else 55000: its vector means nothing there.
create or replace function medley_internal.of_generation(wanted text, wanted_generation int)
returns text language plpgsql stable parallel safe as $$
begin
  if exists (select from medley_internal.collections where name = wanted and generation <> wanted_generation) then
    raise exception 'generation % of collection "%" is not live', wanted_generation, wanted using errcode = '55000';
  end if;
  return wanted;
end $$;

-- The ids of the best rows of a generation, live or not, for what one of its rows says: as medley.search would find them.
create or replace function medley_internal.search_generation(
  wanted text, wanted_generation int, like_id text, k int, recall float8
)
returns text[] language plpgsql stable set search_path from current set plan_cache_mode = force_generic_plan as $$
declare
  described medley_internal.collections := medley_internal.as_generation(wanted, wanted_generation);
  query vector := medley_internal.embedding_of(described, like_id);
begin
  return medley_internal.best_ids(described, query, k, recall, null);
end $$;

-- By space, how many of the rows have another segment in one generation than in the other, where both have the same version.
create or replace function medley_internal.differing_segments(
  from_table text, to_table text, spaces text[], from_starts int[], to_starts int[], sizes int[], ids text[]
)
returns table (space text, differing int) language plpgsql stable set search_path from current as $$
begin
  for place in 1 .. cardinality(spaces) loop
    space := spaces[place];
    execute format(
      'select count(*) from medley_internal.%I as source join medley_internal.%I as target using (id, version)
       where id = any ($1) and halfvec_send(subvector(source.embedding, $2, $4)) <> halfvec_send(subvector(target.embedding, $3, $4))',
      from_table, to_table) into differing using ids, from_starts[place], to_starts[place], sizes[place];
    return next;
  end loop;
end $$;
