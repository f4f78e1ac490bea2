import {
  type Field,
  type FieldPath,
  fail,
  parseValue,
  type Result,
  succeed,
  type TimeUnit,
} from "@medley/core";
import type { WithSchema } from "./connect-schema.ts";
import { convertConnect } from "./connect-values.ts";
import { type PathRoots, valueAt } from "./message-path.ts";

/** Where a field's value is: what `TopicSource.map` may hold for any field. */
type AnyFieldPath = FieldPath<"timestamp"> | FieldPath<"geo">;

/**
 * A field's value for `parseRecord`, or what is wrong with it; undefined where the message has nothing there. A topic is not ours
 * to correct, so strings that stand for numbers, times, lists and vectors are read as such, as from CSV, and numbers as texts.
 */
export function fieldValue(field: Field, given: AnyFieldPath, roots: PathRoots): Result<unknown, string> {
  if (typeof given === "string") return leafValue(field, valueAt(roots, given));
  if ("unit" in given) return timeValue(field, valueAt(roots, given.path), given.unit);
  const number: Field = { name: field.name, type: "number" };
  const lat = leafValue(number, valueAt(roots, given.lat));
  const lon = leafValue(number, valueAt(roots, given.lon));
  if (!lat.ok || !lon.ok) return lat.ok ? lon : lat;
  const place = { lat: lat.value ?? null, lon: lon.value ?? null };
  return succeed(place.lat === null && place.lon === null ? lat.value : place);
}

/** What Debezium puts where the database did not log a value: unchanged, and stored out of line (TOAST). */
const unavailable = "__debezium_unavailable_value";
const unavailableForms = new Set([
  unavailable,
  Buffer.from(unavailable).toString("base64"),
  JSON.stringify([unavailable]),
  JSON.stringify([...Buffer.from(unavailable)]),
]);

function isUnavailable(value: unknown): boolean {
  return unavailableForms.has(
    typeof value === "string" ? value : Array.isArray(value) ? shortJson(value) : "",
  );
}

function shortJson(value: readonly unknown[]): string {
  return value.length <= unavailable.length ? JSON.stringify(value) : "";
}

function leafValue(field: Field, place: WithSchema): Result<unknown, string> {
  if (isUnavailable(place.value)) {
    return fail(
      "is left out of the event, as the row's change did not touch it; let the table log whole rows: alter table … replica identity full",
    );
  }
  const converted = convertConnect(place, field.type);
  if (!converted.ok) return converted;
  const { value } = converted;
  if (value === undefined || value === null) return succeed(value);
  if (field.type === "text" || field.type === "category") {
    return succeed(typeof value === "number" || typeof value === "boolean" ? String(value) : value);
  }
  if (field.type === "categories" && Array.isArray(value)) {
    return succeed(
      value.map((one) => (typeof one === "number" || typeof one === "boolean" ? String(one) : one)),
    );
  }
  if (typeof value !== "string" || field.type === "image" || field.type === "audio") return succeed(value);
  const parsed = parseValue(field, value, true);
  // What can't be read is refused by `parseRecord`, in its words.
  return succeed(parsed.ok ? parsed.value : value);
}

// As fractions, so that units below a millisecond stay exact.
const unitMs: Readonly<Record<TimeUnit, readonly [bigint, bigint]>> = {
  days: [86_400_000n, 1n],
  s: [1_000n, 1n],
  ms: [1n, 1n],
  us: [1n, 1_000n],
  ns: [1n, 1_000_000n],
};

/** A count of units since 1970; a value that says itself when it is (ISO 8601, one with a schema) needs no unit. */
function timeValue(field: Field, place: WithSchema, unit: TimeUnit): Result<unknown, string> {
  const { value, schema } = place;
  const digits = typeof value === "number" ? String(Math.floor(value)) : value;
  if (schema?.name !== undefined || typeof digits !== "string" || !/^-?\d{1,30}$/.test(digits)) {
    return leafValue(field, place);
  }
  const [times, per] = unitMs[unit];
  const scaled = BigInt(digits) * times;
  return succeed(Number(scaled >= 0n ? scaled / per : (scaled - per + 1n) / per));
}
