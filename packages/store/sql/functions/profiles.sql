-- A profile is what a user likes, as a vector laid out as a row's: the sum over the user's latest events of
-- weight of the kind x 2^(-age / half-life) x the record's vector, each space's segment scaled to unit length. As all
-- events fade alike, its direction changes with an event only, never by time passing: so it is stored, and made anew
-- whenever one of the user's events is written. It is a function of the events kept and of the rows, whatever the order in
-- which they came.

create or replace function medley_internal.profiles_of(found_row medley_internal.collections)
returns jsonb language plpgsql stable parallel safe as $$
begin
  if found_row.profiles is null then
    raise exception 'collection "%" keeps no profiles', found_row.name using errcode = '22023',
      hint = 'give it "profiles" in the configuration, and run medley migrate';
  end if;
  return found_row.profiles;
end $$;

-- Keeps events, and makes their users' profiles anew. A letter per event, in their order: i is kept, s is older than the
-- latest that are kept, t is of a user who was forgotten since.
create or replace function medley_internal.write_events(
  wanted text, users text[], event_ids text[], items text[], kinds text[], ats timestamptz[], versions bigint[]
)
returns text language plpgsql set search_path from current as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(wanted);
begin
  perform medley_internal.profiles_of(found_row);
  perform medley_internal.lock_profiles(wanted, users);
  insert into medley_internal.profile_events as stored (collection, user_id, event_id, item_id, kind, at, version)
  select distinct on (user_id, event_id) wanted, user_id, event_id, item_id, kind, at, version
  from unnest(users, event_ids, items, kinds, ats, versions)
    as input (user_id, event_id, item_id, kind, at, version)
  where not medley_internal.is_forgotten(wanted, user_id, at, version)
  order by user_id, event_id, version desc
  on conflict (collection, user_id, event_id) do update
    set item_id = excluded.item_id, kind = excluded.kind, at = excluded.at, version = excluded.version
    where excluded.version > stored.version;
  perform medley_internal.refresh_profiles(found_row, users);
  return (
    select string_agg(case
      when stored.event_id is not null then 'i'
      when medley_internal.is_forgotten(wanted, input.user_id, input.at, input.version) then 't'
      else 's'
    end, '' order by place)
    from unnest(users, event_ids, ats, versions) with ordinality as input (user_id, event_id, at, version, place)
    left join medley_internal.profile_events as stored
      on stored.collection = wanted and stored.user_id = input.user_id and stored.event_id = input.event_id
  );
end $$;

-- One at a time per user, so that none loses another's events. Makes the profiles there are none of yet. Both steps go in
-- the order of users, and whoever waits in the first holds no row that the second waits for: no deadlock.
create or replace function medley_internal.lock_profiles(wanted text, users text[])
returns void language plpgsql as $$
begin
  insert into medley_internal.profiles (collection, user_id)
  select distinct wanted, user_id collate "C" from unnest(users) as user_id order by 2
  on conflict do nothing;
  perform from medley_internal.profiles where collection = wanted and user_id = any (users) order by user_id for update;
end $$;

create or replace function medley_internal.is_forgotten(wanted text, wanted_user text, at timestamptz, version bigint)
returns boolean language sql stable
begin atomic
  select exists (
    select from medley_internal.profiles as kept
    where kept.collection = wanted and kept.user_id = wanted_user
      and (kept.forgotten_at >= is_forgotten.at or kept.forgotten_version >= is_forgotten.version)
  );
end;

-- Of users whose profiles are locked.
create or replace function medley_internal.refresh_profiles(found_row medley_internal.collections, users text[])
returns void language plpgsql as $$
begin
  delete from medley_internal.profile_events as old
  using (
    select user_id, event_id, row_number() over (partition by user_id order by at desc, event_id desc) as place
    from medley_internal.profile_events
    where collection = found_row.name and user_id = any (users)
  ) as kept
  where old.collection = found_row.name and old.user_id = kept.user_id and old.event_id = kept.event_id
    and kept.place > (found_row.profiles ->> 'eventsMax')::int;
  update medley_internal.profiles as profile
  set embedding = made.embedding, generation = found_row.generation, updated_at = now(), event_count = (
    select count(*) from medley_internal.profile_events as event
    where event.collection = found_row.name and event.user_id = profile.user_id
  )
  from (select distinct user_id from unnest(users) as user_id) as wanted
    left join medley_internal.made_profiles(found_row, users) as made using (user_id)
  where profile.collection = found_row.name and profile.user_id = wanted.user_id;
end $$;

-- The profiles of those users who have an event that counts. Summed in the order of time, so that the same events give the
-- same bits. An event that counts less than 2^-60 of the heaviest is far below what half precision can tell, and left out
-- before its product underflows.
create or replace function medley_internal.made_profiles(found_row medley_internal.collections, users text[])
returns table (user_id text, embedding halfvec) language plpgsql stable as $$
declare
  segments text;
begin
  select string_agg(
    format('medley_internal.unit_segment(subvector(total, %s, %s), size)', start, dimensions), ' || ' order by start
  ) into segments from medley_internal.segments(found_row);
  return query execute format(
    'with counted as (
       select event.user_id, event.at, event.event_id, row.embedding, (kind.weight)::float8
         * exp(-least(ln(2) * extract(epoch from max(event.at) over (partition by event.user_id) - event.at)::float8
           / (86400 * $3), 200)) as count
       from medley_internal.profile_events as event
       join jsonb_each($4) as kind (name, weight) on kind.name = event.kind
       join medley_internal.%I as row on row.id = event.item_id and row.deleted_at is null and row.embedding is not null
       where event.collection = $1 and event.user_id = any ($2)
     ), scaled as (
       select *, count / max(abs(count)) over (partition by user_id) as share from counted
     ), summed as (
       select user_id, sum(abs(share) order by at, event_id) as size, sum(
         embedding::vector * array_fill(share::real, array[%s])::vector order by at, event_id
       ) as total
       from scaled where abs(share) > 2 ^ (-60) group by user_id
     )
     select user_id, (%s)::halfvec from summed', found_row.live_table, found_row.dimensions, segments)
    using found_row.name, users, (found_row.profiles ->> 'halfLifeDays')::float8, found_row.profiles -> 'events';
end $$;

-- Of a number of users after `after`, in their order; returns the last of them, null where there was none. After the weights,
-- the half-life or the rows have changed.
create or replace function medley_internal.rebuild_profiles(wanted text, after text, users_max int)
returns table (last_user text, rebuilt int) language plpgsql set search_path from current as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(wanted);
  users text[];
begin
  perform medley_internal.profiles_of(found_row);
  users := array(
    select user_id from medley_internal.profiles
    where collection = wanted and (after is null or user_id > after) order by user_id limit users_max for update
  );
  perform medley_internal.refresh_profiles(found_row, users);
  return query select users[cardinality(users)], cardinality(users);
end $$;

-- Takes away a user's events and profile, and events of the user among the dead letters. What is left is the user's name and
-- the time, which keep those events away that arrive again later. Returns how many events there were.
create or replace function medley_internal.forget_user(wanted text, wanted_user text, at timestamptz, version bigint)
returns int language plpgsql set search_path from current as $$
declare
  events int;
begin
  insert into medley_internal.profiles as kept (collection, user_id, forgotten_at, forgotten_version)
  values (wanted, wanted_user, at, version)
  on conflict (collection, user_id) do update
    set embedding = null, event_count = 0, updated_at = now(),
      forgotten_at = greatest(kept.forgotten_at, excluded.forgotten_at),
      forgotten_version = greatest(kept.forgotten_version, excluded.forgotten_version);
  delete from medley_internal.profile_events where collection = wanted and user_id = wanted_user;
  get diagnostics events = row_count;
  delete from medley_internal.dead_letters
  where collection = wanted and record_id = wanted_user and position('"_op":"event"'::bytea in payload) > 0;
  return events;
end $$;

-- These two read for a role that may search, one user at a time: it has no right to the tables, which tell who did what.
create or replace function medley_internal.profile_of(wanted text, wanted_user text)
returns halfvec language plpgsql stable parallel safe security definer set search_path from current as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(wanted);
  kept medley_internal.profiles;
begin
  select * into kept from medley_internal.profiles where collection = wanted and user_id = wanted_user;
  if kept.generation = found_row.generation or kept.embedding is null then return kept.embedding; end if;
  -- Of rows of another generation: until it is made anew it is made for each search.
  return (select made.embedding from medley_internal.made_profiles(found_row, array[wanted_user]) as made);
end $$;

create or replace function medley_internal.seen_by(wanted text, wanted_user text)
returns setof text language sql stable parallel safe security definer
begin atomic
  select item_id from medley_internal.profile_events where collection = wanted and user_id = wanted_user;
end;

-- They have got a parameter more.
drop function if exists medley.query_for(text, text, jsonb, jsonb, timestamptz);
drop function if exists medley.search_for(text, text, int, jsonb, jsonb, jsonb, boolean, timestamptz);

create or replace function medley.query_for(
  collection text, user_id text, parts jsonb default '{}', weights jsonb default null, at timestamptz default now(), class text default null
)
returns vector language plpgsql stable parallel safe set search_path from current set plan_cache_mode = force_generic_plan as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(collection);
  fused vector := medley_internal.said_query_for(
    collection, user_id, parts, medley_internal.weighed_by_class(found_row, class, weights), at
  );
begin
  if vector_norm(fused) = 0 then
    raise exception 'user "%" has no profile in "%", and the search asks for nothing else', left(user_id, 60), collection
      using errcode = '22023',
      hint = format('give a part to fall back on, or send events of the user; the spaces are %s', medley_internal.space_names(found_row));
  end if;
  return fused;
end $$;
comment on function medley.query_for(text, text, jsonb, jsonb, timestamptz, text) is
$$The weighted query vector of a search for a user: as medley.query, where the user's profile stands in for the parts not given.
Where it says nothing of a space, and for a user without one, the search is as it would be without it.
  select medley.query_for('films', 'user-1', '{"year": 1999}', weights => '{"plot": 2}');$$;

-- It may ask for nothing: of a search that has texts.
create or replace function medley_internal.said_query_for(
  collection text, user_id text, parts jsonb, weights jsonb, at timestamptz
)
returns vector language plpgsql stable parallel safe set search_path from current as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(collection);
  profile vector := medley_internal.profile_of(collection, user_id)::vector;
begin
  perform medley_internal.profiles_of(found_row);
  parts := coalesce(parts, '{}');
  if profile is not null and jsonb_typeof(parts) = 'object' then
    parts := parts || coalesce((
      select jsonb_object_agg(name, segment::real[])
      from medley_internal.segments(found_row), lateral (select subvector(profile, start, dimensions)) as part (segment)
      where coalesce(parts -> name, 'null') = 'null' and vector_norm(segment) > 0
    ), '{}');
  end if;
  return medley_internal.fused_query(found_row, parts, weights, null, at);
end $$;

create or replace function medley.search_for(
  collection text, user_id text, k int default 10, filter jsonb default null, parts jsonb default '{}',
  weights jsonb default null, exclude_seen boolean default false, at timestamptz default now(), class text default null
)
returns table (id text, score float8, contributions jsonb)
language plpgsql stable set search_path from current set plan_cache_mode = force_generic_plan as $$
begin
  return query select hit.id, hit.score, hit.contributions from medley.search(
    collection, medley.query_for(collection, user_id, parts, weights, at, class), k,
    case when exclude_seen then medley_internal.unseen_filter(filter, user_id) else filter end
  ) as hit;
end $$;
comment on function medley.search_for(text, text, int, jsonb, jsonb, jsonb, boolean, timestamptz, text) is
$$medley.search with medley.query_for; `exclude_seen` leaves out the records of the user's events.
  select f.title, s.score from medley.search_for('films', 'user-1', 5, exclude_seen => true) s join medley.films f using (id);$$;

-- The filter, and no record of the user's events.
create or replace function medley_internal.unseen_filter(filter jsonb, wanted_user text)
returns jsonb language sql immutable parallel safe
return coalesce(filter, '{}') || jsonb_build_object('id', case
  when jsonb_typeof(filter -> 'id') = 'object' then filter -> 'id'
  when filter ? 'id' then jsonb_build_object('eq', filter -> 'id')
  else '{}'
end || jsonb_build_object('unseenBy', wanted_user));
