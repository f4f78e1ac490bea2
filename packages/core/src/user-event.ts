import { createHash } from "node:crypto";
import type { RecordEnvelope } from "./envelope.ts";
import { canonicalJson } from "./identity.ts";
import type { Version } from "./version.ts";

/** What a user did with a record, as it is kept: profiles are made from these. */
export interface UserEvent {
  readonly user: string;
  /** One event by its user and this: the same again changes nothing. */
  readonly eventId: string;
  /** A record's id. It need not exist yet: the event counts once it does. */
  readonly item: string;
  /** One of the collection's `profiles.events`. */
  readonly kind: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Given on arrival. Of two events with the same id the higher one is right. */
  readonly version: Version;
}

export interface EventEnvelope extends RecordEnvelope {
  readonly op: "event";
}

/** Of events that come without an id of their own. */
export function eventIdOf({ user, item, kind, atMs }: Omit<UserEvent, "eventId" | "version">): string {
  return createHash("sha256")
    .update(canonicalJson([user, item, kind, atMs]))
    .digest("hex")
    .slice(0, 32);
}

/**
 * An event travels as an envelope of its user, so that a log keeps a user's events in order; what happened stands where a
 * record has its fields.
 */
export function envelopeOfEvent(
  { user, eventId, item, kind, atMs, version }: UserEvent,
  source: string,
): EventEnvelope {
  return { id: user, version, op: "event", fields: { event: eventId, item, kind, at: atMs }, source };
}

export function eventOfEnvelope({ id, version, fields }: EventEnvelope): UserEvent {
  const { event, item, kind, at } = fields;
  return {
    user: id,
    eventId: event as string,
    item: item as string,
    kind: kind as string,
    atMs: at as number,
    version,
  };
}

export function isEvent<E extends RecordEnvelope>(envelope: E): envelope is E & EventEnvelope {
  return envelope.op === "event";
}
