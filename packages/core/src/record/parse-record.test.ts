import { expect, test } from "vitest";
import type { Collection } from "../collection.ts";
import { checkConfig } from "../config/check.ts";
import { version } from "../version.ts";
import { parseRecord } from "./parse-record.ts";

const fields = {
  title: "text",
  genre: "category",
  genres: "categories",
  mix: "shares",
  year: "number",
  seen: "timestamp",
  place: "geo",
  face: "vector(3)",
  cites: "edges",
  takings: "series",
};
const spaces = { year: { encoder: "number", field: "year", range: [1900, 2100] } };
const [films, versioned] = checkConfig({
  collections: { films: { fields, spaces }, versioned: { fields, spaces, id: "key", version: "lsn" } },
}) as [Collection, Collection];

const options = { source: "t:1", textual: false, arrivalVersion: version(7n) };
const parse = (input: unknown, textual = false) => parseRecord(films, input, { ...options, textual });

test("a full record passes unchanged, missing fields become null", () => {
  const input = {
    id: "a",
    title: "",
    genre: "x",
    genres: ["x", "y"],
    mix: { x: 0.5 },
    year: -1e300,
    seen: "1999-03-31T12:00:00+02:00",
    place: { lat: -90, lon: 180 },
    face: [0, 0, 1e-30],
    cites: { b: 0.5, constructor: 2 },
    takings: {
      times: [-1, 5],
      values: [
        [1, null],
        [null, 2.5],
      ],
    },
  };
  expect(parse(input)).toEqual({
    ok: true,
    value: {
      id: "a",
      version: 7n,
      op: "upsert",
      source: "t:1",
      fields: { ...input, id: undefined, seen: Date.UTC(1999, 2, 31, 10) },
    },
  });
  const sparse = parse({ id: 5 });
  expect(sparse.ok && [sparse.value.id, Object.values(sparse.value.fields)]).toEqual([
    "5",
    Array(10).fill(null),
  ]);
});

test("textual input reads strings as every type", () => {
  const parsed = parse(
    {
      id: "a",
      title: "1999",
      genres: "x | y",
      mix: '{"x":1}',
      year: " 1.5e3 ",
      seen: "1999-03-31",
      place: "52.1, 4.3",
      face: "[1,2,3]",
      genre: "",
      cites: "b | c|b",
      takings: "[1, null, 3]",
    },
    true,
  );
  expect(parsed.ok && parsed.value.fields).toEqual({
    title: "1999",
    genre: null,
    genres: ["x", "y"],
    mix: { x: 1 },
    year: 1500,
    seen: Date.UTC(1999, 2, 31),
    place: { lat: 52.1, lon: 4.3 },
    face: [1, 2, 3],
    cites: { b: 2, c: 1 },
    takings: { times: null, values: [[1], [null], [3]] },
  });
});

test.for([
  ["no object", [1], "a record must be an object, not a list"],
  ["no id", { title: "x" }, '"id" is missing'],
  ["an empty id", { id: "" }, '"id" is missing'],
  ["an id of the wrong type", { id: { a: 1 } }, '"id" must be a string or an integer, not an object'],
  ["an id too long", { id: "é".repeat(257) }, '"id" is 514 bytes long; an id has at most 512'],
  ["U+0000 in an id", { id: "a\u0000" }, "contains U+0000"],
  ["U+0000 in a text", { id: "a", title: "a\u0000b" }, 'field "title" contains U+0000'],
  ["a lone surrogate", { id: "a", title: "\ud800" }, "lone surrogate"],
  ["a text over the limit", { id: "a", title: "x".repeat(1_000_001) }, "at most 1000000"],
  ["a number as text", { id: "a", title: 5 }, 'field "title" must be a string, not a number (5)'],
  ["a string as number", { id: "a", year: "1999" }, 'field "year" must be a number'],
  ["Infinity (1e400 in JSON)", JSON.parse('{"id":"a","year":1e400}'), "is Infinity; a number must be finite"],
  [
    "an unknown field",
    { id: "a", titel: "x" },
    '"titel" is no field of collection films; did you mean "title"?',
  ],
  ["an unknown operation", { id: "a", _op: "drop" }, '_op is "drop"'],
  ["a list with a number", { id: "a", genres: ["x", 5] }, "has an entry that must be a string"],
  ["a negative share", { id: "a", mix: { x: -1 } }, 'gives "x" the share -1'],
  ["a date without zone", { id: "a", seen: "1999-03-31T12:00:00" }, "with its zone"],
  ["a date not of the calendar", { id: "a", seen: "1999-13-31" }, "no date of the calendar"],
  ["a day that its month has not", { id: "a", seen: "2024-02-30" }, "no date of the calendar"],
  ["a leap day of no leap year", { id: "a", seen: "2023-02-29T10:00:00Z" }, "no date of the calendar"],
  ["a date out of range", { id: "a", seen: 1e15 }, "outside the years"],
  ["a latitude out of range", { id: "a", place: { lat: 91, lon: 0 } }, "the latitude 91"],
  ["a vector of the wrong length", { id: "a", face: [1, 2] }, "has 2 numbers, but the field is vector(3)"],
  ["a zero vector", { id: "a", face: [0, 0, 0] }, "has no direction"],
  ["edges that are no list", { id: "a", cites: "b" }, "must be a list of ids, or an object of id to weight"],
  ["an edge to nowhere", { id: "a", cites: ["b", ""] }, "has an id at position 1 that is an empty string"],
  [
    "an edge of weight 0",
    { id: "a", cites: { b: 0 } },
    'gives "b" the weight 0; a weight is a number above 0',
  ],
  ["a weight below float32", { id: "a", cites: { b: 1e-60 } }, "a number above 0"],
  ["a weight beyond float32", { id: "a", cites: { b: 1e39 } }, 'gives "b" the weight 1e+39'],
  ["too many edges", { id: "a", cites: Array(10_001).fill("b") }, "has 10001 edges, at most 10000"],
  ["a series that is a number", { id: "a", takings: 5 }, "must be a list of numbers"],
  ["a series without steps", { id: "a", takings: [] }, "has no step; leave the field out"],
  ["a series of nothing", { id: "a", takings: [null, null] }, "has no number at all"],
  [
    "a text in a series",
    {
      id: "a",
      takings: [
        [1, 2],
        [3, "4"],
      ],
    },
    'has "4" at step 1, channel 1',
  ],
  ["a number beyond float32", { id: "a", takings: [1, 1e39] }, "has 1e+39 at step 1, channel 0"],
  [
    "channels that come and go",
    { id: "a", takings: [[1, 2], [3]] },
    "has 1 channels at step 1 and 2 at step 0",
  ],
  ["steps without channels", { id: "a", takings: [[], []] }, "has no channel at step 0"],
  ["too many steps", { id: "a", takings: Array(65_537).fill(1) }, "at most 65536"],
  ["too many channels", { id: "a", takings: [Array(1025).fill(1)] }, "at most 1024"],
  ["too many values", { id: "a", takings: Array(300).fill(Array(1000).fill(1)) }, "at most 262144 values"],
  ["a stray key in a series", { id: "a", takings: { value: [1] } }, 'has the key "value"'],
  ["times that are too few", { id: "a", takings: { times: [1], values: [1, 2] } }, "has 1 times for 2 steps"],
  [
    "times that fall",
    { id: "a", takings: { times: [2, 2], values: [1, 2] } },
    "has a time at step 1 that is not after",
  ],
  [
    "a time without zone",
    { id: "a", takings: { times: ["2001-01-01T00:00"], values: [1] } },
    "has a time at step 0 that is",
  ],
  ["a vector beyond float32", { id: "a", face: [1, 1e39, 0] }, "at position 1"],
] as const)("%s is refused with a reason", ([, input, expected]) => {
  const parsed = parse(input);
  expect(parsed.ok ? "accepted" : parsed.failure.message).toContain(expected);
});

test.for([
  ["NaN", { id: "a", year: "NaN" }, 'must be a number, not a string ("NaN")'],
  ["a hex number", { id: "a", year: "0x10" }, "must be a number"],
] as const)("textual %s is refused", ([, input, expected]) => {
  const parsed = parse(input, true);
  expect(parsed.ok ? "accepted" : parsed.failure.message).toContain(expected);
});

test.for([
  ["9223372036854775807", true],
  ["9223372036854775808", false],
  [2 ** 53, false],
  [12, true],
  [-1, false],
  [1.5, false],
  [undefined, false],
] as const)("version %s accepted: %s", ([lsn, accepted]) => {
  const parsed = parseRecord(versioned, { key: "a", lsn }, options);
  expect(parsed.ok).toBe(accepted);
  if (parsed.ok) expect(parsed.value.version).toBe(BigInt(lsn as string));
});

test("a delete needs only its id", () => {
  const parsed = parse({ id: "a", _op: "delete" });
  expect(parsed.ok && parsed.value).toMatchObject({ op: "delete", fields: {} });
});
