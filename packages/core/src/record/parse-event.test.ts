import { expect, test } from "vitest";
import type { Collection } from "../collection.ts";
import { checkConfig } from "../config/check.ts";
import { eventOfEnvelope, isEvent, type UserEvent } from "../user-event.ts";
import { timeOf, VersionClock, version } from "../version.ts";
import { parseRecord } from "./parse-record.ts";

const collection = {
  fields: { year: "number" },
  spaces: { year: { encoder: "number", field: "year", range: [1900, 2100] } },
};
const profiles = { events: { view: 1, like: 3, dislike: -2 }, halfLifeDays: 30 };
const [films, plain, lenient] = checkConfig({
  collections: {
    films: { ...collection, profiles },
    plain: collection,
    lenient: { ...collection, profiles, unknownKeys: "ignore" },
  },
}) as [Collection, Collection, Collection];

const arrivedAtMs = Date.UTC(2026, 0, 2);
const arrivalVersion = new VersionClock({ nowMs: () => arrivedAtMs }).next();
const options = { source: "events.jsonl:1", textual: false, arrivalVersion };
const complete = { user: "u", item: "heat", kind: "like", at: "2026-01-01T00:00:00Z", id: "e1" };

function parse(input: object, into: Collection = films, textual = false): UserEvent {
  const parsed = parseRecord(into, { ...input, _op: "event" }, { ...options, textual });
  if (!parsed.ok) throw new Error(parsed.failure.message);
  if (!isEvent(parsed.value)) throw new Error("no event");
  return eventOfEnvelope(parsed.value);
}

test("a complete event passes; it travels under its user", () => {
  expect(parse(complete)).toEqual({
    user: "u",
    item: "heat",
    kind: "like",
    atMs: Date.UTC(2026, 0, 1),
    eventId: "e1",
    version: arrivalVersion,
  });
  const parsed = parseRecord(films, { ...complete, _op: "event" }, options);
  expect(parsed).toMatchObject({ ok: true, value: { id: "u", op: "event", source: "events.jsonl:1" } });
});

test("without a time it happened when it arrived; without an id its content is the id, so a repeat is the same event", () => {
  const { id: _, at: __, ...bare } = complete;
  expect(parse(bare).atMs).toBe(arrivedAtMs);
  expect(timeOf(arrivalVersion)).toBe(arrivedAtMs);
  expect(parse(bare).eventId).toBe(parse({ ...bare, at: arrivedAtMs, id: null }).eventId);
  const others = [{ user: "v" }, { item: "alien" }, { kind: "view" }, { at: arrivedAtMs - 1 }];
  const ids = [{}, ...others].map((change) => parse({ ...bare, ...change }).eventId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids[0]).toMatch(/^[0-9a-f]{32}$/);
});

test("of a CSV file empty cells are missing, digits are milliseconds; numbers stand for ids", () => {
  const bare = { user: "u", item: "heat", kind: "like" };
  expect(parse({ ...bare, at: "", id: "" }, films, true)).toEqual(parse(bare));
  expect(parse({ ...bare, at: "1000", id: "7" }, films, true)).toMatchObject({ atMs: 1000, eventId: "7" });
  expect(parse({ ...bare, user: 5, item: 6, id: 7 })).toMatchObject({ user: "5", item: "6", eventId: "7" });
});

test.for([
  [{ user: undefined }, '"user" must be a string'],
  [{ user: "" }, '"user" is an empty string'],
  [{ item: null }, '"item" must be a string'],
  [{ item: "x".repeat(513) }, '"item" is 513 bytes long'],
  [{ kind: "like " }, 'is no event of collection films; did you mean "like"?'],
  [{ kind: "constructor" }, '"kind" is "constructor", which is no event of collection films'],
  [{ kind: 3 }, '"kind" must be a string, not a number'],
  [{ at: "yesterday" }, '"at" is "yesterday"; write a date'],
  [{ at: "1000" }, '"at" is "1000"; write a date'],
  [{ at: arrivedAtMs + 86_400_001 }, '"at" lies more than a day ahead'],
  [{ id: "a\u0000" }, '"id"'],
  [{ wieght: 3 }, 'an event has no key "wieght"'],
] as const)("%j is refused, with the user where it can be read", ([change, message]) => {
  const parsed = parseRecord(films, { ...complete, ...change, _op: "event" }, options);
  expect(parsed).toMatchObject({ ok: false, failure: { code: "record_invalid" } });
  if (parsed.ok) return;
  expect(parsed.failure.message).toContain(message);
  expect(parsed.failure.id).toBe("user" in change ? null : "u");
});

test("a day ahead is allowed, for clocks that differ; unknown keys are where the collection ignores them", () => {
  expect(parse({ ...complete, at: arrivedAtMs + 86_400_000 }).atMs).toBe(arrivedAtMs + 86_400_000);
  expect(parse({ ...complete, wieght: 3 }, lenient)).toEqual(parse(complete));
});

test("a collection without profiles takes no events", () => {
  const parsed = parseRecord(
    plain,
    { ...complete, _op: "event" },
    { ...options, arrivalVersion: version(1n) },
  );
  expect(parsed).toMatchObject({
    ok: false,
    failure: {
      message: 'collection plain takes no events; give it "profiles" in the configuration',
      id: "u",
    },
  });
});
