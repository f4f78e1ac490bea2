import { MedleyError } from "@medley/core";
import pg from "pg";
import { expect, test } from "vitest";
import { openPool } from "./postgres-store.ts";
import { withRetry } from "./retry.ts";

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

test("faults that pass are got over", async () => {
  const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  for (const error of [
    refusal("40P01"),
    refusal("57P02"),
    reset,
    new Error("Connection terminated unexpectedly"),
  ]) {
    const { operation, tries } = failing([error]);
    expect(await withRetry(operation)).toBe("answered");
    expect(tries()).toBe(2);
  }
});

test("a fault that does not pass is store_unavailable after five tries", async () => {
  const { operation, tries } = failing(Array.from({ length: 9 }, () => refusal("53300")));
  await expect(withRetry(operation)).rejects.toMatchObject({ code: "store_unavailable", retryable: true });
  expect(tries()).toBe(5);
});

test.for([
  ["22021", "record_invalid"],
  ["22003", "record_invalid"],
  ["54000", "record_invalid"],
  ["42P01", "schema_behind"],
  ["42703", "schema_behind"],
  ["42883", "schema_behind"],
])("SQLSTATE %s is %s at once", async ([state, code]) => {
  const { operation, tries } = failing([refusal(state as string)]);
  await expect(withRetry(operation)).rejects.toMatchObject({ code });
  expect(tries()).toBe(1);
});

test("what is not known is passed on as it is, at once", async () => {
  for (const error of [refusal("23505"), new TypeError("a bug"), new MedleyError("query_invalid", "no")]) {
    const { operation, tries } = failing([error]);
    await expect(withRetry(operation)).rejects.toBe(error);
    expect(tries()).toBe(1);
  }
});

test("a server that is not there is store_unavailable, with a mend", async () => {
  const pool = openPool({ connectionString: "postgresql://postgres@127.0.0.1:1/postgres" });
  await expect(withRetry(() => pool.query("select 1"))).rejects.toMatchObject({
    code: "store_unavailable",
    message: expect.stringContaining("ECONNREFUSED"),
    mend: expect.any(String),
  });
  await pool.end();
});
