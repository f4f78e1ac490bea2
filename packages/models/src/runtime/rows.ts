/**
 * Rows of numbers end to end: the token ids of texts, the pixels of pictures, the samples of clips. Row i has
 * `lengths[i]` values; 0: the input says nothing. Plain data: it travels between threads.
 */
export interface Rows<Values extends RowValues = RowValues> {
  readonly values: Values;
  readonly lengths: Int32Array;
}

export type RowValues = Int32Array | Float32Array;

/** The rows at `indices`, in their order; all of one element type. */
export function selectRows<Values extends RowValues>(
  rows: readonly Values[],
  indices: readonly number[],
): Rows<Values> {
  const chosen = indices.map((index) => rows[index] as Values);
  const lengths = Int32Array.from(chosen, (row) => row.length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const values = (
    chosen[0] instanceof Float32Array ? new Float32Array(total) : new Int32Array(total)
  ) as Values;
  let offset = 0;
  for (const row of chosen) {
    values.set(row, offset);
    offset += row.length;
  }
  return { values, lengths };
}

/** One array per row: views, not copies. */
export function splitRows<Values extends RowValues>({ values, lengths }: Rows<Values>): Values[] {
  let end = 0;
  return Array.from(lengths, (length) => {
    end += length;
    return values.subarray(end - length, end) as Values;
  });
}
