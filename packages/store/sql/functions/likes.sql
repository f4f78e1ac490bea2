-- What rows that are liked and rows that are not say together: per space Rocchio's query,
--
--   unit length of (mean of the liked rows' segments - 1/3 x mean of the unliked rows')
--
-- after J. Rocchio, "Relevance feedback in information retrieval" (1971). A third is Salton and Buckley's share (.25 to .75, "Improving
-- retrieval performance by relevance feedback", 1990): what is liked says more than what is not. A missing segment is in no mean.

-- Null where no row is named.
create or replace function medley_internal.liked_embedding(
  found_row medley_internal.collections, likes text[], unlikes text[]
)
returns vector language plpgsql stable parallel safe as $$
declare
  named text[] := likes || unlikes;
  segments text;
  embedding vector;
begin
  if cardinality(named) = 0 then return null; end if;
  if cardinality(named) > 100 then
    raise exception 'the search is like or unlike % rows', cardinality(named) using errcode = '22023',
      hint = 'name at most 100';
  end if;
  if named = likes and cardinality(likes) = 1 then
    return medley_internal.unit_segments(found_row, medley_internal.embedding_of(found_row, likes[1]));
  end if;
  -- Raises for one that is not there.
  perform medley_internal.embedding_of(found_row, id) from unnest(named) as id;
  select string_agg(
    format('medley_internal.rocchio(
      avg(%1$s) filter (where id = any ($1) and vector_norm(%1$s) > 0),
      avg(%1$s) filter (where id = any ($2) and vector_norm(%1$s) > 0), %2$s)',
      format('subvector(embedding::vector, %s, %s)', start, dimensions), dimensions), ' || ' order by start)
  into segments from medley_internal.segments(found_row);
  -- In order of id: a mean of the same rows has the same bits.
  execute format('select %s from (select id, embedding from medley_internal.%I where id = any ($3) order by id) as row',
    segments, medley_internal.rows_view(found_row)) into embedding using likes, unlikes, named;
  return embedding;
end $$;

-- A row's segments, each of length 1 to single precision: as they are stored they are so to half precision.
create or replace function medley_internal.unit_segments(found_row medley_internal.collections, embedding vector)
returns vector language plpgsql stable parallel safe as $$
declare
  segment vector;
  fused vector;
begin
  for segment in
    select subvector(embedding, start, dimensions) from medley_internal.segments(found_row) order by start
  loop
    fused := case when fused is null then l2_normalize(segment) else fused || l2_normalize(segment) end;
  end loop;
  return fused;
end $$;

-- What is left of likes and dislikes that cancel each other is rounding, which has no direction. `size` is the sum of what
-- went in.
create or replace function medley_internal.unit_segment(total vector, size float8)
returns vector language sql immutable strict parallel safe
return case when vector_norm(total) > 1e-6 * size then l2_normalize(total) else total - total end;

-- All zero where nothing is left.
create or replace function medley_internal.rocchio(liked vector, unliked vector, dimensions int)
returns vector language sql immutable parallel safe
return medley_internal.unit_segment(
  coalesce(liked, array_fill(0::real, array[dimensions])::vector)
    - coalesce(unliked * array_fill((1 / 3.0)::real, array[dimensions])::vector, array_fill(0::real, array[dimensions])::vector),
  1
);
