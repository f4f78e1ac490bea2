/** One row of a table of work, taken for a while. */
export interface Leased {
  readonly position: string;
  readonly record_id: string;
  /** Of this row, with this time. */
  readonly tries: number;
}

const leaseSeconds = 60;

/**
 * Takes the oldest rows of a table of work that nobody has in hand, for a minute: columns `position`, `record_id`, `leased_until` and
 * `tries`. What is not taken away by then is taken again, by whoever asks. `where` may have parameters.
 */
export function leaseSql(table: string, where: string, rowsMax: number): string {
  return `update ${table}
set leased_until = clock_timestamp() + make_interval(secs => ${leaseSeconds}), tries = tries + 1
where position in (
  select position from ${table}
  where ${where} and (leased_until is null or leased_until < clock_timestamp())
  order by position limit ${rowsMax} for update skip locked
)
returning position::text, record_id, tries`;
}

/** Of one batch, whose rows may be of the same record. */
export function leasedBatch(rows: readonly Leased[]): {
  readonly ids: readonly string[];
  readonly tries: number;
  readonly positions: readonly string[];
} {
  return {
    ids: [...new Set(rows.map(({ record_id }) => record_id))],
    tries: rows.reduce((most, { tries }) => Math.max(most, tries), 1),
    positions: rows.map(({ position }) => position),
  };
}
