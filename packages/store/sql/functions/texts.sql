-- Full-text search as one more term of the score: how well the words of a row's fields match those asked for,
--
--   weight x ts_rank_cd(column, websearch_to_tsquery(language, words), 32)    where they match, else 0
--
-- which is Postgres' cover density (C. Clarke, G. Cormack and E. Tudhope, "Relevance ranking for one to three term queries", 2000) brought to
-- between 0 and 1 by rank / (rank + 1). The column is `_text_NAME`, a generated tsvector; no part of it is in the vector.
--
-- What a search asks of the texts goes with the collection that it is in: `found_row.texts` holds then, instead of all that are defined,
-- those that are asked for, each with its `query`. Statements that search read the collection as $1.

-- `texts` is {"words": "bank heist -comedy"} or {"words": {"query": "bank heist -comedy", "weight": 2}}.
create or replace function medley_internal.with_texts(found_row medley_internal.collections, texts jsonb)
returns medley_internal.collections language plpgsql stable parallel safe as $$
declare
  known jsonb := found_row.texts;
  name text;
  said jsonb;
  entry jsonb;
  words tsquery;
begin
  found_row.texts := '[]';
  if coalesce(texts, 'null') = 'null' then return found_row; end if;
  if jsonb_typeof(texts) <> 'object' then
    raise exception 'texts is no object' using errcode = '22023',
      hint = format('pass an object with some of the keys %s', medley_internal.text_names(known));
  end if;
  for name, said in select * from jsonb_each(texts) loop
    select text into entry from jsonb_array_elements(known) as text where text ->> 'name' = name;
    if entry is null then
      raise exception 'collection "%" has no text "%"', found_row.name, left(name, 60) using errcode = '22023',
        hint = case known when '[]' then 'it has none: add one under "texts"' else 'known: ' || medley_internal.text_names(known) end;
    end if;
    said := case jsonb_typeof(said) when 'string' then jsonb_build_object('query', said) else said end;
    perform medley_internal.check_text(name, said);
    entry := entry || jsonb_build_object('query', said -> 'query', 'weight', medley_internal.weight_of(
      found_row, jsonb_build_object(name, coalesce(said -> 'weight', entry -> 'weight')), name
    ));
    words := websearch_to_tsquery(medley_internal.language_of(entry), entry ->> 'query');
    -- Of stop words alone nothing is left; of what is only left out, as in -comedy, no index knows which rows match.
    found_row.texts := found_row.texts || jsonb_build_array(
      entry || jsonb_build_object('asks', numnode(words) > 0 and (entry ->> 'weight')::float8 <> 0, 'indexed', querytree(words) <> 'T')
    );
  end loop;
  return found_row;
end $$;

create or replace function medley_internal.text_names(texts jsonb)
returns text language sql immutable parallel safe
return (select string_agg(entry ->> 'name', ', ' order by place) from jsonb_array_elements(texts) with ordinality as named (entry, place));

create or replace function medley_internal.check_text(name text, said jsonb)
returns void language plpgsql immutable parallel safe as $$
begin
  if not coalesce(
    jsonb_typeof(said) = 'object' and jsonb_typeof(said -> 'query') = 'string' and said - 'query' - 'weight' = '{}', false
  ) then
    raise exception 'what is asked of text "%" is %', name, left(said::text, 60) using errcode = '22023',
      hint = format('pass words, like {"%s": "bank heist -comedy"}, or with a weight {"%1$s": {"query": "bank heist", "weight": 2}}', name);
  elsif length(said ->> 'query') > 2000 then
    raise exception 'text "%" is asked for % characters', name, length(said ->> 'query') using errcode = '22023',
      hint = 'ask for at most 2000: each word costs time in every row that matches';
  end if;
end $$;

-- Those of Postgres itself are written without their schema.
create or replace function medley_internal.language_of(text_entry jsonb)
returns regconfig language sql stable parallel safe
return (case when strpos(text_entry ->> 'language', '.') = 0 then 'pg_catalog.' else '' end || (text_entry ->> 'language'))::regconfig;

-- Of each text that is asked for, in SQL on `row`: whether it matches, and its term of the score. A row that does not match may have a
-- rank, by words that stand beside those it must not have: `matched_term` is for rows that do. `asks`: else the term is 0 for all.
create or replace function medley_internal.asked_texts(found_row medley_internal.collections)
returns table (place int, name text, asks boolean, weight float8, indexed boolean, matches text, matched_term text, term text)
language sql stable parallel safe
begin atomic
  select number::int, entry ->> 'name', (entry ->> 'asks')::boolean, (entry ->> 'weight')::float8, (entry ->> 'indexed')::boolean, match,
    rank, case when (entry ->> 'asks')::boolean then format('case when %s then %s else 0 end', match, rank) else '0::float8' end
  from jsonb_array_elements(found_row.texts) with ordinality as asked (entry, number),
    lateral (select format('row.%I', '_text_' || (entry ->> 'name')) as tsvector,
      format('websearch_to_tsquery(%L::regconfig, ($1).texts -> %s ->> ''query'')',
        medley_internal.language_of(entry)::oid::text, number - 1) as words offset 0) as sides,
    lateral (select format('%s @@ %s', tsvector, words) as match,
      format('ts_rank_cd(%s, %s, 32)::float8 * (($1).texts -> %s ->> ''weight'')::float8', tsvector, words, number - 1) as rank offset 0) as of_row
  where entry ? 'query';
end;

-- The terms of the texts, as an array in their order; of a search without texts null.
create or replace function medley_internal.text_terms(found_row medley_internal.collections)
returns text language plpgsql stable parallel safe as $$
begin
  return (
    select coalesce('array[' || string_agg(term, ', ' order by place) || ']', 'null') || '::float8[]' from medley_internal.asked_texts(found_row)
  );
end $$;

create or replace function medley_internal.asks_of_texts(found_row medley_internal.collections)
returns boolean language plpgsql stable parallel safe as $$
begin
  return found_row.texts <> '[]' and exists (select from medley_internal.asked_texts(found_row) where asks);
end $$;

-- Rows that some text adds to; null where none does.
create or replace function medley_internal.text_matches(found_row medley_internal.collections)
returns text language plpgsql stable parallel safe as $$
begin
  return (select '(' || string_agg(matches, ' or ' order by place) || ')' from medley_internal.asked_texts(found_row) where asks and weight > 0);
end $$;

-- The plan of the vectors' part; the rows that match a text come on top of what it finds. Only a scan of all rows has the best where a
-- text takes away from those that match, or no index knows which these are.
create or replace function medley_internal.planned(
  found_row medley_internal.collections, query vector, k int, recall float8, condition text, filter jsonb
)
returns jsonb language plpgsql stable as $$
begin
  if found_row.texts <> '[]' and exists (
    select from medley_internal.asked_texts(found_row) where asks and (weight < 0 or not indexed)
  ) then
    recall := 1;
  end if;
  return medley_internal.plan_search(found_row, query, k, recall, condition, filter);
end $$;

-- The query of a search; beside texts it may say nothing, or be null.
create or replace function medley_internal.query_beside_texts(found_row medley_internal.collections, query vector)
returns vector language plpgsql stable parallel safe as $$
declare
  asked vector := query;
begin
  if found_row.texts = '[]' then return asked; end if;
  asked := coalesce(asked, array_fill(0::real, array[found_row.dimensions])::vector);
  if vector_dims(asked) = found_row.dimensions and vector_norm(asked) = 0 and not medley_internal.asks_of_texts(found_row) then
    raise exception 'the search in "%" asks for nothing: no part, and no word that its texts'' language keeps', found_row.name
      using errcode = '22023',
      hint = 'ask for words that say more: such as "the" and "of" are left out, and so is a text of weight 0';
  end if;
  return asked;
end $$;

-- What the rows of a search have to fulfil: its filter and, where it asks for nothing but words, these.
create or replace function medley_internal.search_condition(found_row medley_internal.collections, query vector, filter jsonb)
returns text language plpgsql stable as $$
declare
  condition text := medley_internal.filter_condition(found_row, filter);
begin
  if vector_norm(query) > 0 then return condition; end if;
  return concat_ws(' and ', nullif(condition, 'true'), coalesce(medley_internal.text_matches(found_row), 'true'));
end $$;

-- The rows that match a text, each with the sum of its terms: of no other row is a text ranked. `matching_only`: those that some text adds to.
create or replace function medley_internal.matched_sql(found_row medley_internal.collections, condition text, matching_only boolean)
returns text language plpgsql stable parallel safe as $$
begin
  return (
    select format('(select id, sum(term) as words from (%s) as term group by id%s)',
      string_agg(
        format('select id, %s as term, %L::boolean as adds from medley_internal.%I as row where %s and %s', matched_term, weight > 0,
          medley_internal.rows_view(found_row), matches, condition),
        ' union all ' order by place),
      case when matching_only then ' having bool_or(adds)' end)
    from medley_internal.asked_texts(found_row) where asks
  );
end $$;

-- The `wanted` best by the whole score: of all rows that pass the filter, or, `matching_only`, of those that a text adds to. What does not match is a
-- best row by its vector alone, so these and the best by vector hold the best of all. All that match are ranked, which reads each of them:
-- Postgres' indexes keep no ranks.
create or replace function medley_internal.worded_ids(
  found_row medley_internal.collections, query vector, wanted int, filter jsonb, matching_only boolean
)
returns text[] language plpgsql stable as $$
declare
  condition text := medley_internal.filter_condition(found_row, filter);
  ids text[];
begin
  execute format(
    'select array(select row.id from medley_internal.%I as row %s %s as matched on matched.id = row.id where %s order by %s, row.id limit $4)',
    medley_internal.rows_view(found_row), case when matching_only then 'join' else 'left join' end, medley_internal.matched_sql(found_row, condition, matching_only),
    condition,
    case when vector_norm(query) = 0 then 'coalesce(-matched.words, 0)' else '((row.embedding <#> $2) + 0) * $5 - coalesce(matched.words, 0)' end)
  into ids using found_row, l2_normalize(query)::halfvec, filter, wanted, vector_norm(query);
  return ids;
end $$;

-- For medley.explain_search: each text that adds to rows, as a path of kind `words`; its depth is how many rows match, as Postgres estimates.
create or replace function medley_internal.text_paths(found_row medley_internal.collections)
returns jsonb language plpgsql stable as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('path', name, 'kind', 'words', 'depth', ceil(estimate.rows)) order by place), '[]')
    from medley_internal.asked_texts(found_row), medley_internal.estimated_filter(found_row, matches, null) as estimate
    where asks and weight > 0
  );
end $$;

-- The indexes of a collection's texts, whether asked for or not: no path of the vectors'.
create or replace function medley_internal.text_indexes(found_row medley_internal.collections)
returns table (name text, index_name text, definition text) language plpgsql stable parallel safe as $$
begin
  return query
    select entry ->> 'name', found_row.live_table || '_text_' || left(md5(entry ->> 'name'), 8),
      format('using gin (%I) where deleted_at is null', '_text_' || (entry ->> 'name'))
    from jsonb_array_elements(found_row.texts) as entry;
end $$;
