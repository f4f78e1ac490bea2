import { setTimeout as sleep } from "node:timers/promises";
import { Unreachable } from "./faults.ts";

export interface RetryBounds {
  /** In all, the first one included. */
  readonly attemptsMax: number;
  /** Before the second attempt at most; twice as much before each further one. */
  readonly backoffMs: number;
  /** A host that asks for a longer pause is not tried again: sooner would be rude, later would hold others up. */
  readonly retryAfterMsMax: number;
}

/**
 * Tries `attempt` again where it throws `Unreachable`, after a random pause up to `backoffMs` ("full jitter", so that many
 * that failed together don't come back together), at least as long as the host asked for. Throws the last `Unreachable`,
 * anything else at once, and the signal's reason.
 */
export async function retrying<Value>(
  attempt: () => Promise<Value>,
  { attemptsMax, backoffMs, retryAfterMsMax }: RetryBounds,
  signal: AbortSignal,
): Promise<Value> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Unreachable) || attempts >= attemptsMax) throw error;
      const askedMs = error.retryAfterMs ?? 0;
      if (askedMs > retryAfterMsMax) throw error;
      await pause(askedMs + Math.random() * backoffMs * 2 ** (attempts - 1), signal);
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted(); // With its own reason, not the timer's.
    throw error;
  }
}

/** `Retry-After` in seconds or as a date (RFC 9110 10.2.3), in ms from `nowMs`; `null` where there is none that says so. */
export function retryAfterMsOf(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\d+$/.test(header)) return Number(header) * 1_000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
