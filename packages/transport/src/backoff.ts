const backoffMsMin = 100;
const backoffMsMax = 30_000;

/**
 * Milliseconds until the next try after `attempt` failed ones: doubles from 100 ms to 30 s. The upper half of the range is
 * random, so that what failed together does not come back together.
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const ceilingMs = Math.min(2 * backoffMsMin * 2 ** (attempt - 1), backoffMsMax);
  return Math.round((ceilingMs / 2) * (1 + random()));
}
