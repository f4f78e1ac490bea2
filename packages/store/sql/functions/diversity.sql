-- Hits that differ from each other: maximal marginal relevance (J. Carbonell and J. Goldstein, "The use of MMR, diversity-based
-- reranking for reordering documents and producing summaries", SIGIR 1998). One after the other, the row is chosen with the highest
--
--   (1 - diversity) x score / W - diversity x the most that it is like one chosen before
--
-- where W is the sum of the weights' sizes, and how much two rows are like each other is the mean of their spaces' cosines by those
-- of the spaces: both sides lie between -1 and 1, and rows are told apart by what the search asks for. At 0 the order is the score's; at 1
-- only the first is chosen by it. Of equal rows the one with the higher score comes first, then the lower id.

-- How many of the best rows are chosen from.
create or replace function medley_internal.pool_size(k int, diversity float8)
returns int language sql immutable parallel safe
return case when diversity is null then k else greatest(5 * k, 50) end;

create or replace function medley_internal.check_diversity(k int, diversity float8)
returns void language plpgsql immutable parallel safe as $$
begin
  if diversity is null then return; end if;
  if not diversity between 0 and 1 then
    raise exception 'the diversity is %', diversity using errcode = '22023',
      hint = 'pass a number from 0, only the score counts, to 1, only how much hits differ';
  elsif k > 100 then
    raise exception '% hits can''t be chosen for diversity', k using errcode = '22023', hint = 'ask for at most 100';
  end if;
end $$;

-- Of the rows `pool`, which are in order.
create or replace function medley_internal.diverse_ids(
  found_row medley_internal.collections, query vector, k int, pool text[], diversity float8, score_min float8
)
returns text[] language plpgsql stable as $$
declare
  of_spaces float8 := (select sum(vector_norm(subvector(query, start, dimensions))) from medley_internal.segments(found_row));
  weights float8 := of_spaces + (select coalesce(sum(abs(weight)), 0) from medley_internal.asked_texts(found_row) where asks);
  -- By space the root of its share, so that an inner product of two scaled rows is how much they are like each other.
  scale vector;
  ids text[];
  scores float8[];
  vectors vector[];
  likeness float8[]; -- to the chosen; null: chosen itself
  chosen text[] := '{}';
  next int;
  next_vector vector;
begin
  select array_agg(sqrt(case
      when of_spaces > 0 then vector_norm(subvector(query, start, dimensions)) / of_spaces
      -- Nothing but words is asked for: all spaces tell rows apart.
      else 1 / jsonb_array_length(found_row.spaces)::float8
    end) order by start, entry)::vector into scale
  from medley_internal.segments(found_row), generate_series(1, dimensions) as entry;
  execute format(
    'select array_agg(id order by nth), array_agg(score / $4 order by nth), array_agg(embedding * $5 order by nth), array_agg(0::float8)
     from (select *, array_position($7, id) as nth from (%s) as scored where $6 is null or score >= $6) as passing',
    medley_internal.scored_sql(found_row, medley_internal.rows_sql(found_row, 'row.id = any ($7)')))
  into ids, scores, vectors, likeness using found_row, query, null, weights, scale, score_min, pool;
  for step in 1 .. least(k, cardinality(ids)) loop
    select nth into next
    from unnest(scores, likeness) with ordinality as entry (score, likeness, nth)
    where entry.likeness is not null
    order by (1 - diversity) * entry.score - diversity * entry.likeness desc, nth limit 1;
    chosen := chosen || ids[next];
    next_vector := vectors[next];
    likeness := array(
      select case
        when nth = next or entry.likeness is null then null
        when step = 1 then inner_product(entry.embedding, next_vector)
        else greatest(entry.likeness, inner_product(entry.embedding, next_vector))
      end
      from unnest(vectors, likeness) with ordinality as entry (embedding, likeness, nth) order by nth
    );
  end loop;
  return chosen;
end $$;
