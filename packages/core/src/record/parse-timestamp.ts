import { fail, type Result, succeed } from "../result.ts";
import { kindOf, show } from "./describe-value.ts";

// Years 0001 to 9999: what every Postgres client can print and parse.
const timestampMin = Date.parse("0001-01-01T00:00:00Z");
const timestampMax = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

// Date only (read as UTC), or date and time with a zone: a time without one means another instant on another machine.
const isoPattern = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}))?$/;

/** Whether the calendar has the day: `Date.parse` makes March of February 30. */
function isDay(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`);
  return Number.isFinite(parsed.getTime()) && parsed.toISOString().startsWith(date);
}

/** Milliseconds since 1970, or what is wrong with the input. */
export function parseTimestamp(input: unknown): Result<number, string> {
  let epochMs: number;
  if (typeof input === "number") epochMs = input;
  else if (typeof input === "string" && isoPattern.test(input)) epochMs = Date.parse(input.replace(" ", "T"));
  else if (typeof input === "string") {
    return fail(`is ${show(input)}; write a date like 1999-03-31 or 1999-03-31T12:00:00Z, with its zone`);
  } else return fail(`must be an ISO 8601 string or milliseconds since 1970, not ${kindOf(input)}`);
  if (!Number.isFinite(epochMs) || (typeof input === "string" && !isDay(input.slice(0, 10))))
    return fail(`is ${show(input)}, which is no date of the calendar`);
  if (epochMs < timestampMin || epochMs > timestampMax)
    return fail(`is ${show(input)}, outside the years 0001-9999`);
  return succeed(Math.trunc(epochMs));
}
