import { expect, test } from "vitest";
import type { MedleyError } from "../errors.ts";
import { checkConfig } from "./check.ts";
import { configJsonSchema } from "./shape.ts";

function check(profiles: unknown) {
  const fields = { year: "number" };
  const spaces = { year: { encoder: "number", field: "year", range: [0, 1] } };
  const films = profiles === undefined ? { fields, spaces } : { fields, spaces, profiles };
  return checkConfig({ collections: { films } })[0]?.profiles;
}

test("profiles are checked, completed and frozen; a collection without has none", () => {
  const profiles = check({ events: { view: 1, dislike: -2.5 }, halfLifeDays: 30 });
  expect(profiles).toEqual({ events: { view: 1, dislike: -2.5 }, halfLifeDays: 30, eventsMax: 200 });
  expect(Object.isFrozen(profiles) && Object.isFrozen(profiles?.events)).toBe(true);
  expect(check({ events: { view: 1 }, halfLifeDays: 0.5, eventsMax: 1000 })?.eventsMax).toBe(1000);
  expect(check(undefined)).toBe(null);
});

test.for([
  [{ events: {} }, "collection films, profiles, events: there is none; name at least one"],
  [{ events: { view: 0 } }, 'events: "view" counts 0, which changes nothing; leave it out'],
  [{ events: { view: 1e-9 } }, 'events: "view" counts 1e-9; stay between 0.000001 and 1000000'],
  [{ events: { view: -1e9 } }, 'events: "view" counts -1000000000; stay between'],
  [{ events: { view: Number.NaN } }, "collection films, profiles, events, view: "],
  [{ events: { "": 1 } }, 'events: the kind "" is empty'],
  [{ events: { "a\u0000": 1 } }, "events: the kind"],
  [{ events: { ["x".repeat(65)]: 1 } }, "has 65 characters; at most 64 are allowed"],
  [
    { events: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`k${n}`, 1])) },
    "events: there are 101; at most 100 are told apart",
  ],
  [{ halfLifeDays: 0 }, "collection films, profiles, halfLifeDays: "],
  [{ halfLifeDays: undefined }, "collection films, profiles, halfLifeDays: "],
  [{ eventsMax: 0 }, "collection films, profiles, eventsMax: "],
  [{ eventsMax: 1001 }, "collection films, profiles, eventsMax: "],
  [{ halfLife: 3 }, 'collection films, profiles: unknown key "halfLife"'],
] as const)("%j is refused with its place", ([change, message]) => {
  const given = { events: { view: 1 }, halfLifeDays: 30, ...change };
  let refused = "accepted";
  try {
    check(given);
  } catch (error) {
    refused = (error as MedleyError).message;
  }
  expect(refused).toContain(message);
});

test("editors know them by the JSON schema", () => {
  expect(JSON.stringify(configJsonSchema())).toContain('"halfLifeDays"');
});
