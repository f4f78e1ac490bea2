/** Full jitter: a pause of up to this, doubled with each attempt, so that callers who failed together spread out. */
const backoffMs = 500;
const backoffMsMax = 20_000;

/**
 * How long to wait before attempt `attempt + 1`: "full jitter" (Brooker, *Exponential Backoff And Jitter*, 2015) on top
 * of what the endpoint asks for.
 */
export function retryWaitMs(attempt: number, askedMs: number | null, random: () => number): number {
  if (askedMs !== null) return askedMs + random() * backoffMs;
  return random() * Math.min(backoffMsMax, backoffMs * 2 ** attempt);
}

/**
 * How long an answer of status 429 or 503 asks to wait, in milliseconds, or null. In this order: `retry-after-ms`;
 * `retry-after` in seconds or as a date (RFC 9110, 10.2.3), which is read by the endpoint's own clock; the reset of
 * whichever of OpenAI's `x-ratelimit-*` counts has nothing left. The latter are read only then: they say when an
 * allowance is *full* again, and to wait for that after each answer would waste most of it.
 */
export function askedWaitMs(headers: Headers): number | null {
  return (
    secondsOrNull(headers.get("retry-after-ms"), 1) ??
    secondsOrNull(headers.get("retry-after"), 1000) ??
    untilDateMs(headers) ??
    exhaustedMs(headers)
  );
}

function secondsOrNull(value: string | null, unitMs: number): number | null {
  return value !== null && /^\d+(\.\d+)?$/.test(value.trim()) ? Number(value) * unitMs : null;
}

function untilDateMs(headers: Headers): number | null {
  const until = Date.parse(headers.get("retry-after") ?? "");
  const now = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(until) || Number.isNaN(now) ? null : Math.max(0, until - now);
}

function exhaustedMs(headers: Headers): number | null {
  const resets = ["requests", "tokens"]
    .filter((count) => headers.get(`x-ratelimit-remaining-${count}`)?.trim() === "0")
    .map((count) => durationMs(headers.get(`x-ratelimit-reset-${count}`) ?? ""))
    .filter((ms) => ms !== null);
  return resets.length === 0 ? null : Math.max(...resets);
}

const unitsMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** `6m0s`, `1.5s`, `20ms`: as Go writes durations. */
function durationMs(text: string): number | null {
  if (!/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) return null;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g);
  return [...parts].reduce((sum, [, n, unit]) => sum + Number(n) * (unitsMs[unit as string] as number), 0);
}
