import type { GenerationOf } from "@medley/core";
import type pg from "pg";
import { withRetry } from "../retry.ts";

/** What a process that searches or embeds says of one generation. */
export interface ReaderReport extends GenerationOf {
  /** Null: it can search and embed with it. */
  readonly failure: string | null;
  /** Whether it also carries rows. */
  readonly carries: boolean;
}

/** A process that is there says so again after this time. */
export const readerReportMs = 8_000;
/** One that has not for so long is gone: two reports may be late. */
const seenWithinSeconds = 25;
/** Rows of processes that have ended without a word. */
const forgottenAfterHours = 1;

export async function reportReader(
  pool: pg.Pool,
  instance: string,
  reports: readonly ReaderReport[],
): Promise<void> {
  const text = `with forgotten as (
  delete from medley_internal.generation_reader
  where seen_at < clock_timestamp() - make_interval(hours => ${forgottenAfterHours}) and instance <> $1
)
insert into medley_internal.generation_reader as known (instance, collection, generation, failure, carries, seen_at)
select $1, collection, generation, failure, carries, clock_timestamp()
from unnest($2::text[], $3::int[], $4::text[], $5::boolean[]) as report (collection, generation, failure, carries)
on conflict (instance, collection, generation)
do update set failure = excluded.failure, carries = excluded.carries, seen_at = excluded.seen_at`;
  const values = [
    instance,
    reports.map(({ collection }) => collection),
    reports.map(({ generation }) => generation),
    reports.map(({ failure }) => failure),
    reports.map(({ carries }) => carries),
  ];
  await withRetry(() => pool.query(text, values));
}

/** Of a process that ends; null: of all, where it is known that none is there. */
export async function forgetReaders(pool: pg.Pool, instance: string | null): Promise<void> {
  await pool.query("delete from medley_internal.generation_reader where $1::text is null or instance = $1", [
    instance,
  ]);
}

/** A process that is there, and a generation. */
export interface Reader {
  readonly instance: string;
  readonly carries: boolean;
  /** Whether it has tried to open the generation's encoders. */
  readonly answered: boolean;
  /** Why it could not; null where it could, or has not tried. */
  readonly failure: string | null;
}

/** All that search or embed in the collection. */
export async function readReaders(
  pool: pg.Pool,
  { collection, generation }: GenerationOf,
): Promise<readonly Reader[]> {
  const { rows } = await pool.query<Reader>(
    `select instance, bool_or(carries) as carries, bool_or(generation = $2) as answered,
  max(failure) filter (where generation = $2) as failure
from medley_internal.generation_reader
where collection = $1 and seen_at > clock_timestamp() - make_interval(secs => ${seenWithinSeconds})
group by instance`,
    [collection, generation],
  );
  return rows;
}
