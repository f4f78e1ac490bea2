import { suggestion } from "../closest.ts";
import type { Collection } from "../collection.ts";
import { fail, type Result, succeed } from "../result.ts";
import { type EventEnvelope, envelopeOfEvent, eventIdOf } from "../user-event.ts";
import { timeOf } from "../version.ts";
import { kindOf } from "./describe-value.ts";
import type { ParseOptions, RecordProblem } from "./parse-record.ts";
import { parseRecordId } from "./parse-record-id.ts";
import { parseTimestamp } from "./parse-timestamp.ts";

const eventKeys = ["user", "item", "kind", "at", "id"] as const;

/** An event of tomorrow would outweigh all others for long, and stay the latest one: a clock that is wrong, or worse. */
const aheadMsMax = 86_400_000;

/**
 * Checks an event, `{ user, item, kind, at?, id? }`, against its collection's profiles. Without `at` it happened when it
 * arrived: that time follows from the version, so that an input that is sent again is the same event.
 */
export function parseEvent(
  { name, profiles, unknownKeys }: Collection,
  input: Readonly<Record<string, unknown>>,
  options: ParseOptions & { readonly opKey: string },
): Result<EventEnvelope, RecordProblem> {
  const { arrivalVersion, textual, source } = options;
  const user = parseRecordId(input.user);
  const invalid = (message: string) =>
    fail({ code: "record_invalid" as const, message, id: user.ok ? user.value : null });
  if (profiles === null) {
    return invalid(`collection ${name} takes no events; give it "profiles" in the configuration`);
  }
  if (!user.ok) return invalid(`"user" ${user.failure}`);
  const item = parseRecordId(input.item);
  if (!item.ok) return invalid(`"item" ${item.failure}`);
  const { kind } = input;
  if (typeof kind !== "string") return invalid(`"kind" must be a string, not ${kindOf(kind)}`);
  if (!Object.hasOwn(profiles.events, kind)) {
    return invalid(
      `"kind" is ${JSON.stringify(kind)}, which is no event of collection ${name}; ${suggestion(kind, Object.keys(profiles.events))}`,
    );
  }
  const unknown = Object.keys(input).find(
    (key) => key !== options.opKey && !(eventKeys as readonly string[]).includes(key),
  );
  if (unknown !== undefined && unknownKeys === "reject")
    return invalid(`an event has no key "${unknown}"; ${suggestion(unknown, eventKeys)}`);

  const arrivedAtMs = timeOf(arrivalVersion);
  const at = isMissing(input.at, textual) ? succeed(arrivedAtMs) : parseAt(input.at, textual);
  if (!at.ok) return invalid(`"at" ${at.failure}`);
  if (at.value > arrivedAtMs + aheadMsMax)
    return invalid('"at" lies more than a day ahead; correct the clock of its sender');
  const event = { user: user.value, item: item.value, kind, atMs: at.value };
  const id = isMissing(input.id, textual) ? succeed(eventIdOf(event)) : parseRecordId(input.id);
  if (!id.ok) return invalid(`"id" ${id.failure}`);
  return succeed(envelopeOfEvent({ ...event, eventId: id.value, version: arrivalVersion }, source));
}

/** An empty cell of a CSV file is no value. */
function isMissing(value: unknown, textual: boolean): boolean {
  return value === undefined || value === null || (textual && value === "");
}

function parseAt(value: unknown, textual: boolean): Result<number, string> {
  const isNumber = textual && typeof value === "string" && /^-?\d+$/.test(value);
  return parseTimestamp(isNumber ? Number(value) : value);
}
