import { setTimeout as wait } from "node:timers/promises";
import { MedleyError } from "@medley/core";
import pg from "pg";

/** For the stages, whose packets wait meanwhile: longer than a server takes to start again or to fail over. */
export const stageMsMax = 30_000;
/** For what somebody waits for: a search, a command, the start of a process. Enough for an embedded engine to start again. */
export const askedMsMax = 4_500;

const firstDelayMs = 300;
const delayMsMax = 2_000;

/**
 * Runs an idempotent operation on Postgres, again after passing faults, for about `forMsMax`. Idempotent, since a fault does
 * not say whether it came before the commit or after it. Throws `MedleyError` `store_unavailable` when the faults do not pass
 * or a statement ran into its timeout, `record_invalid` for data Postgres can't take, `schema_behind` where a table or
 * function is missing, `permission_denied` where the role may not.
 */
export async function withRetry<Value>(
  operation: () => Promise<Value>,
  forMsMax: number = stageMsMax,
): Promise<Value> {
  const startedMs = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (!isPassing(error)) throw translated(error);
      // Jitter: those who failed together do not come back together.
      const delayMs = (0.5 + Math.random() / 2) * Math.min(firstDelayMs * 2 ** (attempt - 1), delayMsMax);
      const passedMs = performance.now() - startedMs;
      if (passedMs + delayMs > forMsMax) throw unavailable(error, attempt, passedMs);
      await wait(delayMs);
    }
  }
}

/**
 * Connection, serialization, deadlock, lock timeout, out of resources, shut down. Also read-only: a fail-over leaves
 * connections to a server that is a standby by now. The pool closes a connection whose statement failed, so the next try
 * looks for the server anew.
 */
const passingStates = /^(08|25006|40001|40003|40P01|53|55P03|57P0)/;
const passingErrnos = new Set([
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "EAI_AGAIN",
  "ENOTFOUND",
]);
/** Of `pg`, which gives them no code. */
const passingMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered|Client was closed)/;

export function isPassing(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return passingStates.test(error.code ?? "");
  if (!(error instanceof Error)) return false;
  // Happy eyeballs: one error per address tried.
  if (error instanceof AggregateError) return error.errors.every(isPassing);
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? passingMessages.test(error.message) : passingErrnos.has(code);
}

function unavailable(cause: unknown, tries: number, passedMs: number): MedleyError {
  const said = cause instanceof Error ? cause.message || String(cause) : String(cause);
  const seconds = (passedMs / 1_000).toFixed(1);
  return new MedleyError(
    "store_unavailable",
    `Postgres failed${tries === 1 ? "" : ` ${tries} times in ${seconds} s`}: ${said}`,
    {
      mend: "check that the server runs, can be reached and takes writes",
      cause,
    },
  );
}

/** What can be said of an error of an operation that was tried once, as `MedleyError`. */
export function faultOf(error: unknown): unknown {
  return isPassing(error) ? unavailable(error, 1, 0) : translated(error);
}

function translated(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const state = error.code ?? "";
  // Data exceptions, constraints that an administrator has added, and program limits (a row that fits no page): the same
  // every time.
  if (/^(22|23|54)/.test(state)) {
    return new MedleyError("record_invalid", `Postgres refuses a value: ${error.message}`, { cause: error });
  }
  // Not tried again here: it has taken its time already.
  if (state === "57014") {
    return new MedleyError("store_unavailable", `Postgres gave up a statement: ${error.message}`, {
      mend: "see what the server is busy with, or raise statement_timeout",
      cause: error,
    });
  }
  if (state === "42501" || state.startsWith("28") || state === "3D000") {
    return new MedleyError("permission_denied", `Postgres refuses this role: ${error.message}`, {
      mend: "check the database URL; a role of the services is given its rights by: medley migrate --role-app NAME",
      cause: error,
    });
  }
  if (state === "42P01" || state === "42703" || state === "42883" || state === "3F000") {
    return new MedleyError("schema_behind", `the database lacks something: ${error.message}`, {
      mend: "run: medley migrate",
      cause: error,
    });
  }
  return error;
}
