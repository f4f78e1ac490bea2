-- The weighted query: what is multiplied with a row's fused vector. Weights are in it, rows are unweighted.

-- It has got parameters more.
drop function if exists medley.query(text, jsonb, jsonb, text, timestamptz);
drop function if exists medley.query(text, jsonb, jsonb, text, timestamptz, text[], text[]);

create or replace function medley.query(
  collection text, parts jsonb default '{}', weights jsonb default null, "like" text default null,
  at timestamptz default now(), likes text[] default '{}', unlikes text[] default '{}', class text default null
)
returns vector language plpgsql stable parallel safe set search_path from current set plan_cache_mode = force_generic_plan as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(collection);
  fused vector := medley_internal.said_query(
    collection, parts, medley_internal.weighed_by_class(found_row, class, weights), at,
    array_remove("like" || coalesce(likes, '{}'), null), unlikes
  );
begin
  if vector_norm(fused) = 0 then
    raise exception 'the search in "%" asks for nothing: every part is left out or has weight 0', collection
      using errcode = '22023',
      hint = format('give a part or "like"; the spaces are %s', medley_internal.space_names(found_row));
  end if;
  return fused;
end $$;
comment on function medley.query(text, jsonb, jsonb, text, timestamptz, text[], text[], text) is
$$The weighted query vector of a search: per space what `parts` says of it, else the segment of the row `like`, else nothing.
Several rows are named by `likes`, rows that hits should differ from by `unlikes`: likes.sql has the formula.
A number space with a preference asks for it, a recency space with a weight given here asks for now, where nothing else is said.
Weights not given are those that were learned for the searches' `class`, else the collection's. Text has to come as a segment (an array of numbers).
  select medley.query('films', '{"year": 1999, "genres": ["Comedy"]}', weights => '{"genres": 2}');
  select medley.query('films', "like" => 'tt0111161', weights => '{"year": 0}');
  select medley.query('films', likes => '{tt0111161,tt0068646}', unlikes => '{tt0120338}');
  select medley.query('goods', '{"maker": "Acme", "topic": "running"}', class => 'brand');$$;

-- It may ask for nothing: of a search that has texts.
create or replace function medley_internal.said_query(
  collection text, parts jsonb, weights jsonb, at timestamptz, likes text[], unlikes text[]
)
returns vector language plpgsql stable parallel safe set search_path from current as $$
declare
  found_row medley_internal.collections := medley_internal.collection_of(collection);
begin
  return medley_internal.fused_query(
    found_row, parts, weights, medley_internal.liked_embedding(found_row, coalesce(likes, '{}'), coalesce(unlikes, '{}')), at
  );
end $$;

-- All zero where nothing is asked for.
create or replace function medley_internal.fused_query(
  found_row medley_internal.collections, parts jsonb, weights jsonb, like_embedding vector, at timestamptz
)
returns vector language plpgsql stable parallel safe as $$
declare
  space jsonb;
  dimensions int;
  weight real;
  segment vector;
  fused vector;
begin
  parts := coalesce(parts, '{}');
  weights := coalesce(weights, '{}');
  perform medley_internal.check_names(found_row, parts, 'parts');
  perform medley_internal.check_names(found_row, weights, 'weights');
  for space in select jsonb_array_elements(found_row.spaces) loop
    dimensions := (space ->> 'dimensions')::int;
    weight := medley_internal.weight_of(found_row, weights, space ->> 'name');
    segment := medley_internal.asked_segment(space, parts, weights, like_embedding, at);
    if segment is null then
      segment := array_fill(0::real, array[dimensions])::vector;
    elsif weight <> 1 then
      segment := segment * array_fill(weight, array[dimensions])::vector;
    end if;
    fused := case when fused is null then segment else fused || segment end;
  end loop;
  return fused;
end $$;

create or replace function medley_internal.asked_segment(
  space jsonb, parts jsonb, weights jsonb, like_embedding vector, at timestamptz
)
returns vector language plpgsql stable parallel safe as $$
declare
  part jsonb := nullif(parts -> (space ->> 'name'), 'null');
begin
  if part is null and like_embedding is not null then
    return subvector(like_embedding, (space ->> 'offset')::int + 1, (space ->> 'dimensions')::int);
  elsif part is null and space ->> 'encoder' = 'number' then
    part := space -> 'prefer';
  elsif part is null and space ->> 'encoder' = 'recency' and weights ? (space ->> 'name') then
    part := '{}';
  end if;
  return case when part is not null then medley.encode_part(space, part, at)::vector end;
end $$;

create or replace function medley_internal.weight_of(found_row medley_internal.collections, weights jsonb, space text)
returns real language plpgsql stable parallel safe as $$
declare
  weight jsonb := coalesce(weights -> space, found_row.weights -> space);
begin
  if jsonb_typeof(weight) is distinct from 'number' then
    raise exception 'the weight of space "%" is %, which is no number', space, left(weight::text, 60)
      using errcode = '22023', hint = 'pass a number; 0 leaves the space out, below 0 turns it round';
  end if;
  -- A segment's smallest values times such a weight are still numbers.
  if weight::float8 <> 0 and abs(weight::float8) not between 1e-20 and 1e20 then
    raise exception 'the weight of space "%" is %, which is too %', space, left(weight::text, 60),
      case when abs(weight::float8) < 1 then 'small' else 'large' end
      using errcode = '22023', hint = 'weights count beside each other: pass 0, or sizes from 1e-20 to 1e20';
  end if;
  return weight::real;
end $$;

-- The weights with those that were learned for a class of searches, where they name none. A generation of rows may lack a space.
create or replace function medley_internal.weighed_by_class(found_row medley_internal.collections, class text, weights jsonb)
returns jsonb language plpgsql stable parallel safe as $$
declare
  learned jsonb := found_row.classes -> class;
begin
  if class is null then return weights; end if;
  if learned is null then
    raise exception 'collection % has no class "%" of searches', found_row.name, left(class, 60) using errcode = '22023',
      hint = coalesce(
        'known: ' || (select string_agg(key, ', ' order by key) from jsonb_object_keys(found_row.classes) as key),
        'leave it out: medley assign has learned no weights of classes for it, or medley migrate was not run since'
      );
  end if;
  return coalesce((select jsonb_object_agg(key, value) from jsonb_each(learned) where found_row.weights ? key), '{}')
    || coalesce(weights, '{}');
end $$;

create or replace function medley_internal.check_names(
  found_row medley_internal.collections, named jsonb, what text
)
returns void language plpgsql stable parallel safe as $$
begin
  if jsonb_typeof(named) <> 'object' then
    raise exception '% is no object', what using errcode = '22023',
      hint = format('pass an object with some of the keys %s', medley_internal.space_names(found_row));
  end if;
  perform medley_internal.space_of(found_row, key) from jsonb_object_keys(named) as key;
end $$;

-- Null for null: of a search that likes no row.
create or replace function medley_internal.embedding_of(found_row medley_internal.collections, wanted text)
returns vector language plpgsql stable parallel safe as $$
declare
  found_embedding vector;
begin
  if wanted is null then return null; end if;
  execute format('select embedding::vector from medley_internal.%I where id = $1', medley_internal.rows_view(found_row))
    into found_embedding using wanted;
  if found_embedding is null then
    raise exception 'collection "%" has no row "%"', found_row.name, left(wanted, 60) using errcode = 'P0002',
      hint = format('select id from medley.%I limit 10', found_row.name);
  end if;
  return found_embedding;
end $$;
