import { z } from "zod";
import { suggestion } from "../closest.ts";
import type { Fields } from "../fields.ts";

/**
 * A place in a message: keys with dots between them, `details.year`, `images.0.url`; `tags.*.name` takes the name of every
 * entry of a list. It starts at the record (JSON: the value; CloudEvents: the data; Debezium: the row), or with `$` at
 *
 * - `$key`: the message's key, `$key.id` where it is an object;
 * - `$header.NAME`: a header's text;
 * - `$event.NAME`: an attribute of a CloudEvent, `$event.subject`;
 * - `$source.NAME`: Debezium's source block, `$source.lsn`;
 * - `$message.topic`, `.partition`, `.offset`, `.timestamp` (milliseconds since 1970).
 */
export type MessagePath = string;

export const timeUnits = ["days", "s", "ms", "us", "ns"] as const;
/** Of a number that counts from 1970-01-01T00:00:00Z. */
export type TimeUnit = (typeof timeUnits)[number];

export interface TimePath {
  readonly path: MessagePath;
  readonly unit: TimeUnit;
}

export interface PlacePaths {
  readonly lat: MessagePath;
  readonly lon: MessagePath;
}

/** Where a field's value is: a path; for a timestamp also with its unit; for a place also as two numbers. */
export type FieldPath<Type> =
  | MessagePath
  | (Type extends "timestamp" ? TimePath : never)
  | (Type extends "geo" ? PlacePaths : never);

/** A message that means a delete: what is at `path` is one of `is`; a string may end or begin with `*`. */
export interface DeleteCondition {
  readonly path: MessagePath;
  readonly is: DeleteValue | readonly DeleteValue[];
}
export type DeleteValue = string | number | boolean;

export const topicFormats = ["json", "cloudevents", "debezium"] as const;
export type TopicFormat = (typeof topicFormats)[number];

/** A topic of the user's as a source: its messages become records of the collection. */
export interface TopicSource<F extends Fields = Fields> {
  readonly kind: "topic";
  readonly topic: string;
  readonly format: TopicFormat;
  /** Fields whose place is not their own name at the top of the record. What no field names is not read. */
  readonly map?: { readonly [Name in keyof F & string]?: FieldPath<F[Name]> };
  /** Several parts are joined by `:`. Default: the record's key of the collection's `id`, else the event's subject, else the message's key. */
  readonly id?: MessagePath | readonly MessagePath[];
  /**
   * Of a collection with a `version`: the place of the integer; default: the same name in the record. Of one without: the
   * place of a time that takes the place of the message's timestamp.
   */
  readonly version?: MessagePath | { readonly time: MessagePath };
  /** Besides what is always a delete: a message without value, Debezium's `op` "d" and `__deleted`. */
  readonly deleteWhen?: DeleteCondition;
  /** Where a group that has read nothing begins. Default `earliest`. */
  readonly from?: "earliest" | "latest";
  /** Consumer group. Default: `PREFIX-COLLECTION-TOPIC`, with `MEDLEY_LANE_PREFIX`. */
  readonly group?: string;
}

const path = z.string().min(1).max(500);
const deleteValue = z.union([z.string(), z.number(), z.boolean()]);

export const topicSourceShape = z.strictObject({
  kind: z.literal("topic"),
  topic: z.string(),
  format: z.enum(topicFormats),
  map: z
    .record(
      z.string(),
      z.union([
        path,
        z.strictObject({ path, unit: z.enum(timeUnits) }),
        z.strictObject({ lat: path, lon: path }),
      ]),
    )
    .optional(),
  id: z.union([path, z.array(path).min(1)]).optional(),
  version: z.union([path, z.strictObject({ time: path })]).optional(),
  deleteWhen: z.strictObject({ path, is: z.union([deleteValue, z.array(deleteValue).min(1)]) }).optional(),
  from: z.enum(["earliest", "latest"]).optional(),
  group: z.string().min(1).max(249).optional(),
});

/** What the checks of a source need to know of its collection. */
export interface SourceCollection {
  readonly fields: Readonly<Record<string, string>>;
  readonly versionKey: string | null;
}

// Kafka's own rule.
const topicPattern = /^[a-zA-Z0-9._-]{1,249}$/;
const roots: Readonly<Record<string, readonly TopicFormat[]>> = {
  $key: topicFormats,
  $header: topicFormats,
  $message: topicFormats,
  $event: ["cloudevents"],
  $source: ["debezium"],
};
const messageNames = ["topic", "partition", "offset", "timestamp"];

/** Each problem with its mend. */
export function* topicSourceProblems(source: TopicSource, collection: SourceCollection): Generator<string> {
  if (!topicPattern.test(source.topic) || source.topic === "." || source.topic === "..") {
    yield `${JSON.stringify(source.topic)} is no topic's name; it has 1-249 of a-z, A-Z, 0-9, ".", "_" and "-"`;
  }
  for (const [field, given] of Object.entries(source.map ?? {})) {
    yield* fieldPathProblems(field, given as FieldPath<string>, collection);
  }
  for (const at of pathsOf(source)) yield* pathProblems(at, source.format);
  yield* versionProblems(source, collection);
}

function* fieldPathProblems(
  field: string,
  given: MessagePath | TimePath | PlacePaths,
  { fields }: SourceCollection,
): Generator<string> {
  const type = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (type === undefined) {
    yield `map: field "${field}" does not exist; ${suggestion(field, Object.keys(fields))}`;
  } else if (typeof given === "object" && "unit" in given && type !== "timestamp") {
    yield `map: field "${field}" is ${type}, and only a timestamp has a unit; give the path alone`;
  } else if (typeof given === "object" && "lat" in given && type !== "geo") {
    yield `map: field "${field}" is ${type}, and only a place has "lat" and "lon"; give the path alone`;
  }
}

function* pathProblems(at: MessagePath, format: TopicFormat): Generator<string> {
  if (at.split(".").includes(""))
    yield `path "${at}" has an empty part; write keys with one dot between them`;
  if (!at.startsWith("$")) return;
  const [root = "", name, ...rest] = at.split(".");
  if (!Object.hasOwn(roots, root)) {
    yield `path "${at}" begins at "${root}"; ${suggestion(root, Object.keys(roots))}`;
  } else if (!roots[root]?.includes(format)) {
    yield `path "${at}": format "${format}" has no "${root}"; that is of format "${roots[root]}"`;
  } else if (name === undefined && root !== "$key") {
    yield `path "${at}" stops short; name what to take of it: "${root}.NAME"`;
  } else if (root === "$message" && (!messageNames.includes(name ?? "") || rest.length > 0)) {
    yield `path "${at}": a message has ${messageNames.join(", ")}`;
  }
}

/** All records of a collection count on one scale: their own numbers, or the clock's. */
function* versionProblems({ version }: TopicSource, { versionKey }: SourceCollection): Generator<string> {
  if (typeof version === "string" && versionKey === null) {
    yield `version: "${version}" is a number of the topic's own, but records that come by HTTP or file get theirs from the clock, which is above it; give the collection a "version" key, or leave this out`;
  }
  if (typeof version === "object" && versionKey !== null) {
    yield `version: a time does not compare with the numbers under "${versionKey}" that the collection's "version" names; give the path of such a number`;
  }
}

function* pathsOf({ map = {}, id = [], version, deleteWhen }: TopicSource): Generator<MessagePath> {
  for (const given of Object.values(map) as (MessagePath | TimePath | PlacePaths)[]) {
    if (typeof given === "string") yield given;
    else if ("unit" in given) yield given.path;
    else yield* [given.lat, given.lon];
  }
  yield* [id].flat();
  if (version !== undefined) yield typeof version === "string" ? version : version.time;
  if (deleteWhen !== undefined) yield deleteWhen.path;
}
