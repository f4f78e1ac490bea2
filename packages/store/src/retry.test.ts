import { MedleyError } from "@medley/core";
import pg from "pg";
import { expect, test } from "vitest";
import { openPool } from "./pool.ts";
import { askedMsMax, withRetry } from "./retry.ts";

function refusal(code: string): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError(`refused with ${code}`, 0, "error"), { code });
}

/** Fails with these, one after the other, then answers. */
function failing(errors: readonly Error[]): { operation: () => Promise<string>; tries: () => number } {
  let tries = 0;
  const operation = async () => {
    const error = errors[tries++];
    if (error !== undefined) throw error;
    return "answered";
  };
  return { operation, tries: () => tries };
}

test.for(["08006", "25006", "40001", "40003", "40P01", "53100", "53300", "55P03", "57P01", "57P02", "57P03"])(
  "SQLSTATE %s is got over",
  async (state) => {
    const { operation, tries } = failing([refusal(state)]);
    expect(await withRetry(operation)).toBe("answered");
    expect(tries()).toBe(2);
  },
);

test("lines that break are got over, however pg or the system says it", async () => {
  const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  const messages = ["Connection terminated unexpectedly", "Query read timeout", "timeout expired"];
  for (const error of [
    reset,
    new AggregateError([reset]),
    ...messages.map((message) => new Error(message)),
  ]) {
    const { operation, tries } = failing([error]);
    expect(await withRetry(operation)).toBe("answered");
    expect(tries()).toBe(2);
  }
});

test("a fault that does not pass is store_unavailable once the time is up", async () => {
  const { operation, tries } = failing(Array.from({ length: 99 }, () => refusal("53300")));
  await expect(withRetry(operation, 1_500)).rejects.toMatchObject({
    code: "store_unavailable",
    retryable: true,
  });
  // The fourth wait would end after 2 s at the earliest, however fast the machine is.
  expect(tries()).toBeGreaterThan(1);
  expect(tries()).toBeLessThanOrEqual(4);
});

test.for([
  ["22021", "record_invalid"],
  ["22003", "record_invalid"],
  ["23505", "record_invalid"],
  ["23514", "record_invalid"],
  ["54000", "record_invalid"],
  ["42P01", "schema_behind"],
  ["42703", "schema_behind"],
  ["42883", "schema_behind"],
  ["42501", "permission_denied"],
  ["28P01", "permission_denied"],
  ["57014", "store_unavailable"],
])("SQLSTATE %s is %s at once", async ([state, code]) => {
  const { operation, tries } = failing([refusal(state as string)]);
  await expect(withRetry(operation)).rejects.toMatchObject({ code });
  expect(tries()).toBe(1);
});

test("what is not known is passed on as it is, at once", async () => {
  for (const error of [refusal("XX000"), new TypeError("a bug"), new MedleyError("query_invalid", "no")]) {
    const { operation, tries } = failing([error]);
    await expect(withRetry(operation)).rejects.toBe(error);
    expect(tries()).toBe(1);
  }
});

test("a server that is not there is store_unavailable, with a mend", async () => {
  const pool = openPool({ connectionString: "postgresql://postgres@127.0.0.1:1/postgres" });
  await expect(withRetry(() => pool.query("select 1"), askedMsMax)).rejects.toMatchObject({
    code: "store_unavailable",
    message: expect.stringContaining("ECONNREFUSED"),
    mend: expect.any(String),
  });
  await pool.end();
});
