import { median } from "./measurement.ts";

export interface Duel {
  /** Median seconds of a round. */
  readonly oursSeconds: number;
  readonly theirsSeconds: number;
  /** How many times as fast we are: theirs / ours. */
  readonly ratio: number;
  readonly ratioMin: number;
  readonly ratioMax: number;
}

/**
 * Times two sides by turns, so that what else the machine does hits both: A B, A B, ... The first round warms up and is
 * dropped. A side resolves to the seconds its work took.
 */
export async function duel(
  rounds: number,
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<Duel> {
  const pairs: [number, number][] = [];
  for (let round = 0; round <= rounds; round++) pairs.push([await ours(), await theirs()]);
  const timed = pairs.slice(1);
  const [oursSeconds, theirsSeconds] = [median(timed.map(([a]) => a)), median(timed.map(([, b]) => b))];
  const ratios = timed.map(([a, b]) => b / a);
  return {
    oursSeconds,
    theirsSeconds,
    ratio: theirsSeconds / oursSeconds,
    ratioMin: Math.min(...ratios),
    ratioMax: Math.max(...ratios),
  };
}

export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1_000;
}
