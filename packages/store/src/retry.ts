import { setTimeout as wait } from "node:timers/promises";
import { MedleyError } from "@medley/core";
import pg from "pg";

const triesMax = 5;
/** Doubled each time: 2 to 4.5 seconds in all, enough for an embedded engine to start again. */
const firstDelayMsMax = 300;

/**
 * Runs an idempotent operation on Postgres, again after passing faults, at most `triesMax` times. Throws `MedleyError`
 * `store_unavailable` when they do not pass, `record_invalid` for data Postgres can't take, `schema_behind` where a
 * table or function is missing.
 */
export async function withRetry<Value>(operation: () => Promise<Value>): Promise<Value> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (!isPassing(error)) throw translated(error);
      if (attempt === triesMax) throw unavailable(error);
      // Jitter: those who failed together do not come back together.
      await wait((0.5 + Math.random() / 2) * firstDelayMsMax * 2 ** (attempt - 1));
    }
  }
}

/** Connection, serialization, deadlock, out of resources, shut down; also what `pg` says without a code. */
const passingStates = /^(08|40001|40P01|53|57P0)/;
const passingErrnos = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
  "ENOTFOUND",
]);
const passingMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered)/;

export function isPassing(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return passingStates.test(error.code ?? "");
  if (!(error instanceof Error)) return false;
  // Happy eyeballs: one error per address tried.
  if (error instanceof AggregateError) return error.errors.every(isPassing);
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? passingMessages.test(error.message) : passingErrnos.has(code);
}

function unavailable(cause: unknown): MedleyError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new MedleyError("store_unavailable", `Postgres did not answer after ${triesMax} tries: ${said}`, {
    mend: "check that the server runs and can be reached",
    cause,
  });
}

function translated(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const state = error.code ?? "";
  // Data exceptions and program limits (a row that fits no page): the same every time.
  if (state.startsWith("22") || state.startsWith("54")) {
    return new MedleyError("record_invalid", `Postgres refuses a value: ${error.message}`, { cause: error });
  }
  if (state === "42P01" || state === "42703" || state === "42883" || state === "3F000") {
    return new MedleyError("schema_behind", `the database lacks something: ${error.message}`, {
      mend: "run: medley migrate",
      cause: error,
    });
  }
  return error;
}
