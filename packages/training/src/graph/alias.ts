/** Alias tables of many distributions, one after the other: slot `i` of a distribution gives itself, or its alias. */
export interface AliasTable {
  /** How likely a slot gives itself. */
  readonly probability: Float32Array;
  /** Places within the slot's own distribution. */
  readonly alias: Uint32Array;
}

/**
 * Writes the alias table of the weights from `from` up to `to` into the same places of `table`, so that one uniform number draws
 * in constant time (Walker 1977, by Vose's linear construction, 1991).
 */
export function fillAlias(weights: ArrayLike<number>, from: number, to: number, table: AliasTable): void {
  const count = to - from;
  let sum = 0;
  for (let place = from; place < to; place += 1) sum += weights[place] as number;
  const scaled = new Float64Array(count);
  // Slots below the mean from the front, the others from the back.
  const stack = new Uint32Array(count);
  let [small, large] = [0, count];
  for (let slot = 0; slot < count; slot += 1) {
    scaled[slot] = ((weights[from + slot] as number) * count) / sum;
    if ((scaled[slot] as number) < 1) stack[small++] = slot;
    else stack[--large] = slot;
    table.probability[from + slot] = 1;
    table.alias[from + slot] = slot;
  }
  while (small > 0 && large < count) {
    const poor = stack[--small] as number;
    const rich = stack[large] as number;
    table.probability[from + poor] = scaled[poor] as number;
    table.alias[from + poor] = rich;
    scaled[rich] = (scaled[rich] as number) - (1 - (scaled[poor] as number));
    if ((scaled[rich] as number) >= 1) continue;
    large += 1;
    stack[small++] = rich;
  }
}

/** The slot, 0 ≤ slot < count, that `uniform` (0 ≤ uniform < 1) draws from the distribution at `from`. */
export function drawAlias(
  { probability, alias }: AliasTable,
  from: number,
  count: number,
  uniform: number,
): number {
  const scaled = uniform * count;
  const slot = Math.floor(scaled);
  return scaled - slot < (probability[from + slot] as number) ? slot : (alias[from + slot] as number);
}
