import {
  type Collection,
  type DeleteCondition,
  type DeleteValue,
  type Field,
  fail,
  messageName,
  opKey,
  parseValue,
  type Result,
  succeed,
  type TopicMessage,
  type TopicSource,
} from "@medley/core";
import { convertConnect } from "./connect-values.ts";
import { fieldValue } from "./field-value.ts";
import { type PathRoots, valueAt } from "./message-path.ts";
import type { MessageProblem } from "./message-problem.ts";
import { noMemory, type PartitionMemory, timeProblem, versionOfMessage } from "./message-version.ts";
import { type ReadMessage, readMessage } from "./read-message.ts";

/** What becomes of a message. */
export type MappedMessage =
  | {
      readonly kind: "record";
      /** For `parseRecord`: the collection's own keys, and `_op` for a delete. */
      readonly value: Readonly<Record<string, unknown>>;
      /** Null: it is in the record, under the collection's `versionKey`. */
      readonly version: bigint | null;
      /** `orders[3]@17` */
      readonly source: string;
    }
  /** A tombstone right after the delete that it repeats. */
  | { readonly kind: "repeated"; readonly source: string }
  | {
      readonly kind: "refused";
      readonly code: MessageProblem["code"];
      readonly reason: string;
      /** Where it could be read. */
      readonly recordId: string | null;
      readonly version: bigint | null;
      readonly source: string;
    };

export interface MapOptions {
  /** What is known of the message's partition. Default: nothing. */
  readonly memory?: PartitionMemory;
  readonly nowMs: number;
}

/**
 * Maps a message to a record of the collection, or says why it is none. Pure: the same message and memory give the same record and
 * version. `memory` is for the partition's next message.
 */
export function mapMessage(
  source: TopicSource,
  collection: Collection,
  message: TopicMessage,
  { memory = noMemory, nowMs }: MapOptions,
): { readonly mapped: MappedMessage; readonly memory: PartitionMemory } {
  const name = messageName(message);
  const key = message.key === null ? null : Buffer.from(message.key).toString("base64");
  const refuse = (problem: MessageProblem, known: { id?: string; version?: bigint | null } = {}) => {
    const { id: recordId = null, version = null } = known;
    const mapped = { kind: "refused" as const, ...problem, recordId, version, source: name };
    return { mapped, memory: { ...memory, deletedKey: null } };
  };
  const read = readMessage(source.format, message);
  if (!read.ok) return refuse(read.failure);
  const { roots } = read.value;
  const op = isDelete(source.deleteWhen, roots) ? "delete" : read.value.op;
  const id = idOf(source, collection, roots);
  if (!id.ok) return refuse(invalid(id.failure));
  const readsVersion = source.version !== undefined || collection.versionKey !== null;
  if (message.value === null && readsVersion && key !== null && key === memory.deletedKey) {
    return { mapped: { kind: "repeated", source: name }, memory };
  }
  const given = versionOf(source, collection, message, { roots, memory, nowMs });
  if (!given.ok) return refuse(invalid(given.failure), { id: id.value });
  const { version, keys } = given.value;
  const fields = op === "delete" ? succeed({ [opKey]: "delete" }) : fieldsOf(source, collection, roots);
  if (!fields.ok) return refuse(invalid(fields.failure), { id: id.value, version });
  const value = { ...fields.value, ...keys, [collection.idKey]: id.value };
  const isDebeziumDelete = source.format === "debezium" && op === "delete" && message.value !== null;
  return {
    mapped: { kind: "record", value, version, source: name },
    memory: { ...given.value.memory, deletedKey: isDebeziumDelete ? key : null },
  };
}

function invalid(reason: string): MessageProblem {
  return { code: "record_invalid", reason };
}

function isDelete(condition: DeleteCondition | undefined, roots: PathRoots): boolean {
  if (condition === undefined) return false;
  const { value } = valueAt(roots, condition.path);
  return [condition.is].flat().some((one) => matches(one, value));
}

/** A string may begin or end with `*`, which stands for anything. */
function matches(pattern: DeleteValue, value: unknown): boolean {
  if (typeof pattern !== "string" || typeof value !== "string") return pattern === value;
  if (pattern.startsWith("*")) return value.endsWith(pattern.slice(1));
  return pattern.endsWith("*") ? value.startsWith(pattern.slice(0, -1)) : pattern === value;
}

/** The record's id as text. Of a delete that brings no record, a path into the record is followed in the key. */
function idOf(source: TopicSource, collection: Collection, roots: PathRoots): Result<string, string> {
  if (source.id === undefined) return defaultId(collection.idKey, roots);
  const paths = [source.id].flat();
  const parts: string[] = [];
  for (const path of paths) {
    const place = valueAt(roots, path);
    const isInKey = (place.value ?? null) === null && !path.startsWith("$");
    const part = idText(isInKey ? valueAt(roots, `$key.${path}`) : place);
    if (part === undefined)
      return fail(`there is no id at "${path}" in the message; it must be a string or an integer`);
    parts.push(part);
  }
  return succeed(parts.length === 1 ? (parts[0] as string) : parts.map(escapeId).join(":"));
}

function escapeId(part: string): string {
  return part.replace(/[%:]/g, (char) => (char === "%" ? "%25" : "%3A"));
}

function defaultId(idKey: string, roots: PathRoots): Result<string, string> {
  const { value: key } = roots.$key;
  const names = typeof key === "object" && key !== null ? Object.keys(key) : [];
  const found =
    idText(valueAt(roots, idKey)) ??
    idText(valueAt(roots, "$event.subject")) ??
    idText(valueAt(roots, `$key.${idKey}`)) ??
    idText(names.length === 1 ? valueAt(roots, `$key.${names[0]}`) : roots.$key);
  if (found !== undefined) return succeed(found);
  return fail(
    names.length > 1
      ? `the message's key has ${names.length} parts; say by the source's "id" which are the record's id`
      : `there is no "${idKey}" in the record and no id in the message's key; say by the source's "id" where it is`,
  );
}

function idText(place: ReadMessage["roots"]["record"]): string | undefined {
  const converted = convertConnect(place, "id");
  const value = converted.ok ? converted.value : undefined;
  if (typeof value === "string" && value !== "") return value;
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

function fieldsOf(
  source: TopicSource,
  collection: Collection,
  roots: PathRoots,
): Result<Record<string, unknown>, string> {
  const values: Record<string, unknown> = {};
  for (const field of collection.fields) {
    const value = fieldValue(field, source.map?.[field.name] ?? field.name, roots);
    if (!value.ok) return fail(`field "${field.name}" ${value.failure}`);
    if (value.value !== undefined) values[field.name] = value.value;
  }
  // One that never fits would be a collection of empty rows.
  return Object.keys(values).length > 0
    ? succeed(values)
    : fail(
        `the message has no field of collection ${collection.name}; look at the source's "format" and "map"`,
      );
}

interface GivenVersion {
  readonly version: bigint | null;
  /** To be added to the record. */
  readonly keys: Readonly<Record<string, unknown>>;
  readonly memory: PartitionMemory;
}

function versionOf(
  { version: given }: TopicSource,
  { versionKey }: Collection,
  message: TopicMessage,
  { roots, memory, nowMs }: { roots: PathRoots; memory: PartitionMemory; nowMs: number },
): Result<GivenVersion, string> {
  if (versionKey !== null) {
    const path = typeof given === "string" ? given : versionKey;
    const converted = convertConnect(valueAt(roots, path), "version");
    if (!converted.ok || (converted.value ?? null) === null) return fail(missing(message, "version", path));
    return succeed({ version: null, keys: { [versionKey]: converted.value }, memory });
  }
  const path = typeof given === "object" ? given.time : "$message.timestamp";
  const timeMs = timeOf(valueAt(roots, path));
  if (timeMs === undefined) return fail(missing(message, "time", path));
  const problem = timeProblem(timeMs, nowMs);
  if (problem !== undefined) return fail(`the time at "${path}" ${problem}`);
  return succeed({ ...versionOfMessage({ offset: message.offset, timeMs }, memory), keys: {} });
}

const timestamp: Field = { name: "version", type: "timestamp" };

function timeOf(place: ReadMessage["roots"]["record"]): number | undefined {
  const converted = convertConnect(place, "timestamp");
  const parsed = converted.ok ? parseValue(timestamp, converted.value, true) : null;
  return parsed?.ok && typeof parsed.value === "number" ? parsed.value : undefined;
}

function missing({ value }: TopicMessage, what: string, path: string): string {
  return value === null
    ? `the message deletes its key and has no value, so it has no ${what} at "${path}"; take the version from the message's key, a header or its timestamp`
    : `there is no ${what} at "${path}" in the message`;
}
