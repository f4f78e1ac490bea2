import type { Random } from "@medley/core";

/** What a search asks for: of each space, in their order, the segment of a row. */
export type RowQuery = Int32Array;

/** Every other query is a row as a whole; the others put rows together, since what people ask for is mostly in no row. */
export function drawQueries(
  rows: Int32Array,
  { count, spaces, random }: { readonly count: number; readonly spaces: number; readonly random: Random },
): readonly RowQuery[] {
  const draw = () => rows[random.below(rows.length)] as number;
  return Array.from({ length: count }, (_, at) => {
    const whole = draw();
    return Int32Array.from({ length: spaces }, () => (at % 2 === 0 ? whole : draw()));
  });
}
