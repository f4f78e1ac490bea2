import { suggestion } from "../closest.ts";
import type { Collection } from "../collection.ts";
import type { RecordEnvelope } from "../envelope.ts";
import type { FieldValue } from "../fields.ts";
import { fail, type Result, succeed } from "../result.ts";
import { type Version, version, versionMax } from "../version.ts";
import { isObject, kindOf } from "./describe-value.ts";
import { parseEvent } from "./parse-event.ts";
import { parseRecordId } from "./parse-record-id.ts";
import { parseValue } from "./parse-value.ts";

/** The key of an input that says what it is: a record to `upsert` (default) or to `delete`, or an `event` of a user. */
export const opKey = "_op";

export interface RecordProblem {
  readonly code: "record_invalid";
  /** Names the field, the value and the mend. */
  readonly message: string;
  /** The id, where it could be read. */
  readonly id: string | null;
}

export interface ParseOptions {
  /** `films.csv:17`, `http`. */
  readonly source: string;
  /** Values are strings that stand for any type (CSV). */
  readonly textual: boolean;
  /** Of records whose collection has no version key. */
  readonly arrivalVersion: Version;
}

/**
 * Checks an input record against its collection's schema: the door of the pipeline. What passes can be stored and
 * encoded as far as its form can tell.
 */
export function parseRecord(
  collection: Collection,
  input: unknown,
  options: ParseOptions,
): Result<RecordEnvelope, RecordProblem> {
  if (!isObject(input))
    return fail({
      code: "record_invalid",
      message: `a record must be an object, not ${kindOf(input)}`,
      id: null,
    });
  if (input[opKey] === "event") return parseEvent(collection, input, { ...options, opKey });
  const id = parseId(collection, input[collection.idKey]);
  if (!id.ok) return fail({ code: "record_invalid", message: id.failure, id: null });
  const invalid = (message: string) => fail({ code: "record_invalid" as const, message, id: id.value });

  const op = input[opKey] ?? "upsert";
  if (op !== "upsert" && op !== "delete") {
    return invalid(`${opKey} is ${JSON.stringify(op)}; it must be "upsert", "delete" or "event"`);
  }
  const parsedVersion = parseVersion(collection, input, options.arrivalVersion);
  if (!parsedVersion.ok) return invalid(parsedVersion.failure);
  const envelope = { id: id.value, version: parsedVersion.value, source: options.source };
  if (op === "delete") return succeed({ ...envelope, op, fields: {} });

  const unknown = unknownKey(collection, input);
  if (unknown !== undefined) {
    const names = collection.fields.map((field) => field.name);
    return invalid(
      `"${unknown}" is no field of collection ${collection.name}; ${suggestion(unknown, names)}`,
    );
  }
  const fields: Record<string, FieldValue | null> = {};
  for (const field of collection.fields) {
    const value = parseValue(field, input[field.name], options.textual);
    if (!value.ok) return invalid(`field "${field.name}" ${value.failure}`);
    fields[field.name] = value.value;
  }
  return succeed({ ...envelope, op, fields });
}

function parseId(collection: Collection, input: unknown): Result<string, string> {
  const key = collection.idKey;
  if (input === undefined || input === null || input === "")
    return fail(`"${key}" is missing; every record needs an id`);
  const parsed = parseRecordId(input);
  return parsed.ok ? parsed : fail(`"${key}" ${parsed.failure}`);
}

function parseVersion(
  collection: Collection,
  input: Record<string, unknown>,
  arrivalVersion: Version,
): Result<Version, string> {
  const key = collection.versionKey;
  if (key === null) return succeed(arrivalVersion);
  const given = input[key];
  const digits = typeof given === "number" && Number.isSafeInteger(given) ? String(given) : given;
  if (typeof digits !== "string" || !/^\d{1,20}$/.test(digits)) {
    return fail(`"${key}" must be an integer of at least 0 (as a string above 2^53), not ${kindOf(given)}`);
  }
  const value = BigInt(digits);
  return value <= versionMax
    ? succeed(version(value))
    : fail(`"${key}" is ${digits}, above the largest version ${versionMax}`);
}

function unknownKey(collection: Collection, input: Record<string, unknown>): string | undefined {
  if (collection.unknownKeys === "ignore") return undefined;
  const known = new Set<string>([collection.idKey, opKey, ...collection.fields.map((field) => field.name)]);
  if (collection.versionKey !== null) known.add(collection.versionKey);
  return Object.keys(input).find((key) => !known.has(key));
}
