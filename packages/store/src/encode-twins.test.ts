import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { closedFormEncoder, type Encoder, type FieldType, type SpaceDefinition, spaceOf } from "@medley/core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

/** A space as the catalogue has it. */
type CatalogueSpace = { readonly encoder: string; readonly name: string } & Readonly<Record<string, unknown>>;

const horizonDays = 1461;
const spaces = {
  year: { name: "year", encoder: "number", range: [1900, 2030] },
  price: { name: "price", encoder: "number", range: [0.5, 20_000], scale: "log" },
  genres: { name: "genres", encoder: "category", values: ["Comedy", "Drama", 'Sci-Fi "B"', "Wéstern"] },
  moods: { name: "moods", encoder: "category", values: ["light", "dark"], unknown: "other" },
  strict: { name: "strict", encoder: "category", values: ["light", "dark"], unknown: "reject" },
  released: { name: "released", encoder: "recency", horizonDays },
  seen: { name: "seen", encoder: "recency", horizonDays: 30, harmonics: 12, halfLifeDays: 2.5 },
  place: { name: "place", encoder: "geo" },
  face: { name: "face", encoder: "vector" },
} satisfies Record<string, CatalogueSpace>;

const nowMs = Date.UTC(2026, 0, 31, 12);
let db: PGlite;

beforeAll(async () => {
  db = await PGlite.create({ extensions: { vector } });
  await db.exec("create extension vector; create schema medley; create schema medley_internal");
  await db.exec(readFileSync(new URL("../sql/functions/encode.sql", import.meta.url), "utf8"));
  // The functions find their parts whatever the session's settings are.
  await db.exec(
    "set search_path = pg_catalog; set timezone = 'Asia/Kathmandu'; set datestyle = 'German, DMY'",
  );
});

afterAll(() => db.close());

function encoderOf(space: CatalogueSpace, type: FieldType = "text"): Encoder {
  const definition = { ...space, field: "field" } as unknown as SpaceDefinition;
  const fields = [{ name: "field", type }];
  const encoder = closedFormEncoder(spaceOf(space.name, definition, []), fields, {
    nowMs: () => nowMs,
  });
  assert(encoder !== null);
  return encoder;
}

/** One segment per case, from an SQL expression over the case `c` (jsonb). */
async function inSql(expression: string, cases: readonly unknown[]): Promise<(number[] | null)[]> {
  const { rows } = await db.query<{ segment: number[] | null }>(
    `select (${expression})::real[] as segment from jsonb_array_elements($1::jsonb) with ordinality as given(c, i) order by i`,
    [JSON.stringify(cases)],
  );
  return rows.map((row) => row.segment);
}

function expectTwins(
  cases: readonly unknown[],
  expected: readonly Float32Array[],
  given: (number[] | null)[],
): void {
  expect(given.length).toBe(expected.length);
  expected.forEach((segment, i) => {
    const twin = given[i];
    const off = segment.map((x, j) => Math.abs(x - (twin?.[j] ?? Number.NaN)));
    expect(twin?.length).toBe(segment.length);
    expect(Math.max(...off), `${JSON.stringify(cases[i])} gives ${twin}, not ${segment}`).toBeLessThan(1e-6);
  });
}

async function segmentsOf(encoder: Encoder, values: readonly unknown[]): Promise<Float32Array[]> {
  return (await encoder.encode(values)).map((result) => {
    assert(result.ok);
    return result.value;
  });
}

const finite = { noNaN: true, noDefaultInfinity: true } as const;
const timeMs = fc.integer({ min: Date.UTC(1, 0, 2), max: Date.UTC(9999, 0, 1) });
const decimal = (min: number, max: number) =>
  fc.integer({ min: Math.ceil(min * 1e4), max: Math.floor(max * 1e4) }).map((x) => x / 1e4);
const place = fc.record({ lat: decimal(-90, 90), lon: decimal(-180, 180) });
const share = fc.oneof(fc.double({ min: 1e-100, max: 1e100, ...finite }), fc.constant(0));
const listOrShares = (name: fc.Arbitrary<string>) =>
  fc.oneof(name, fc.array(name), fc.dictionary(name, share));

test.each([spaces.year, spaces.price])("encode_number, $name", async (space) => {
  const [min, max] = space.range as [number, number];
  const number = fc.oneof(decimal(min - 50, max * 1.1), fc.double(finite), fc.constantFrom(min, max));
  const cases = fc.sample(number, 200);
  const scale = "scale" in space ? space.scale : "linear";
  const given = await inSql(`medley.encode_number(c::text::float8, ${min}, ${max}, '${scale}')`, cases);
  expectTwins(cases, await segmentsOf(encoderOf(space), cases), given);
});

test.each([spaces.genres, spaces.moods])("encode_category, $name", async (space) => {
  const cases = fc.sample(listOrShares(fc.constantFrom(...space.values, "Noir", "Épic", "{}")), 200);
  const vocabulary = `array(select jsonb_array_elements_text('${JSON.stringify(space.values)}'))`;
  const unknown = "unknown" in space ? space.unknown : "ignore";
  const given = await inSql(`medley.encode_category(c, ${vocabulary}, '${unknown}')`, cases);
  expectTwins(cases, await segmentsOf(encoderOf(space), cases), given);
});

test.each([spaces.released, spaces.seen])("encode_recency, $name", async (space) => {
  const cases = fc.sample(timeMs, 100);
  const harmonics = "harmonics" in space ? space.harmonics : 32;
  const at = "to_timestamp(c::text::float8 / 1000)";
  const given = await inSql(`medley.encode_recency(${at}, ${space.horizonDays}, ${harmonics})`, cases);
  expectTwins(cases, await segmentsOf(encoderOf(space), cases), given);
});

test("encode_geo and normalize", async () => {
  const places = fc.sample(place, 200);
  const given = await inSql("medley.encode_geo((c ->> 'lat')::float8, (c ->> 'lon')::float8)", places);
  expectTwins(places, await segmentsOf(encoderOf(spaces.place), places), given);

  const entry = fc.float({ min: -1000, max: 1000, noNaN: true }).map((x) => (Math.abs(x) < 1e-20 ? 1 : x));
  const vectors = fc.sample(fc.array(entry, { minLength: 5, maxLength: 5 }), 100);
  const normalized = await inSql(
    "medley.normalize(array(select x::text::real from jsonb_array_elements(c) as x))",
    vectors,
  );
  expectTwins(vectors, await segmentsOf(encoderOf(spaces.face, "vector(5)"), vectors), normalized);
});

const queries: Record<string, fc.Arbitrary<unknown>> = {
  year: fc.oneof(decimal(1800, 2100), fc.double(finite), fc.constantFrom("high", "low")),
  price: fc.oneof(decimal(-50, 22_000), fc.double(finite), fc.constantFrom("high", "low")),
  genres: listOrShares(fc.constantFrom(...spaces.genres.values)),
  moods: listOrShares(fc.constantFrom("light", "dark", "odd", "grey")),
  strict: fc.oneof(listOrShares(fc.constantFrom("light", "dark")), fc.constant({ light: 1, odd: 0 })),
  released: recencyQuery(),
  seen: recencyQuery(),
  place,
  face: fc
    .array(fc.integer({ min: -9, max: 9 }), { minLength: 3, maxLength: 3 })
    .filter((entries) => entries.some((x) => x !== 0)),
};

function recencyQuery(): fc.Arbitrary<unknown> {
  const iso = timeMs.map((ms) => new Date(ms).toISOString());
  const now = fc.oneof(
    timeMs,
    iso,
    iso.map((text) => text.slice(0, 10)),
    iso.map((text) => `${text.slice(0, 10)} ${text.slice(11, 19)}+05:30`),
  );
  const halfLifeDays = fc.oneof(
    fc.double({ min: 1, max: 2000, ...finite }),
    fc.constantFrom(1e-9, 0.01, 30, 1e6, 1e12),
  );
  return fc.record({ now, halfLifeDays }, { requiredKeys: [] });
}

test.each(Object.values(spaces))("encode_part reads what a search may say, $name", async (space) => {
  const encoder = encoderOf(space, "vector(3)");
  const cases = fc.sample(queries[space.name] as fc.Arbitrary<unknown>, 100);
  const expected = await Promise.all(cases.map((query) => encoder.encodeQuery(query)));
  const catalogue = JSON.stringify({ ...space, dimensions: encoder.dimensions }).replaceAll("'", "''");
  const at = `to_timestamp(${nowMs / 1000})`;
  expectTwins(cases, expected, await inSql(`medley.encode_part('${catalogue}', c, ${at})`, cases));
});

async function refusal(space: CatalogueSpace, part: unknown): Promise<Record<string, unknown>> {
  const sql = "select medley.encode_part($1::jsonb, $2::jsonb)";
  const refused = await db.query(sql, [JSON.stringify(space), JSON.stringify(part)]).catch((error) => error);
  expect(refused, `${JSON.stringify(part)} for ${space.name}`).toBeInstanceOf(Error);
  return refused;
}

test.each<[CatalogueSpace, unknown[]]>([
  [spaces.year, ["hihg", null, {}, ["high"], true]],
  [
    spaces.genres,
    ["Comdey", ["Drama", "Noir"], { Noir: 1 }, { Drama: -1 }, { Drama: "x" }, 3, null, ["Drama", 3]],
  ],
  [spaces.strict, ["Light"]],
  [spaces.moods, [{ light: -1 }, 3, null]],
  [
    spaces.released,
    [
      null,
      "now",
      { halflife: 3 },
      { halfLifeDays: 0 },
      { halfLifeDays: "3" },
      { now: "yesterday" },
      { now: {} },
    ],
  ],
  [spaces.released, [{ now: "2026-01-31T12:00:00" }, { now: true }, []]],
  [spaces.place, [null, "here", { lat: 91, lon: 0 }, { lat: 0, lon: 181 }, { lat: 0 }, { lat: "0", lon: 0 }]],
  [spaces.face, [null, "x", {}, [1, 2], [0, 0, 0], [1, 2, "3"], []]],
])("what TypeScript refuses, SQL refuses with a hint: $0.name", async (space, parts) => {
  const encoder = encoderOf(space, "vector(3)");
  for (const part of parts) {
    await expect(encoder.encodeQuery(part), JSON.stringify(part)).rejects.toMatchObject({
      code: "query_invalid",
    });
    const refused = await refusal({ ...space, dimensions: encoder.dimensions }, part);
    expect(refused).toMatchObject({ code: "22023", hint: expect.any(String) });
    expect(refused.message).toContain(`space "${space.name}"`);
  }
});

test("any space takes its segment as an array of numbers, scaled; another length is refused", async () => {
  const text = { name: "plot", encoder: "text", dimensions: 3 };
  for (const space of [text, { ...spaces.place, dimensions: 3 }, { ...spaces.moods, dimensions: 3 }]) {
    const [segment] = await inSql(`medley.encode_part('${JSON.stringify(space)}', c)`, [[3, 0, 4]]);
    expect(segment).toEqual([Math.fround(0.6), 0, Math.fround(0.8)].map((x) => expect.closeTo(x, 6)));
    expect(await refusal(space, [1, 2])).toMatchObject({ code: "22023", hint: "pass 3 numbers" });
  }
  const refused = await refusal(text, "a heist in space");
  expect(refused.message).toBe(
    'space "plot" (text): the text "a heist in space" has to be encoded by its model first',
  );
  expect(refused.hint).toContain("an array of 3 numbers");
});

test("the plain functions give null for what has no segment, and reject raises", async () => {
  const { rows } = await db.query(
    `select medley.encode_number('NaN', 0, 1) is null and medley.encode_number('Infinity', 0, 1) is null
       and medley.encode_geo(91, 0) is null and medley.query_number('hihg') is null
       and medley.query_recency(now(), 0, 30) is null as all_null`,
  );
  expect(rows).toEqual([{ all_null: true }]);
  await expect(
    db.query(`select medley.encode_category('["Noir"]', array['Comedy', 'Drama'], 'reject')`),
  ).rejects.toMatchObject({
    code: "22023",
    message: 'category "Noir" is not one of the 2 values',
    hint: "known: Comedy, Drama",
  });
});

test("the SQL of docs/ENCODERS.md runs", async () => {
  const page = readFileSync(new URL("../../../docs/ENCODERS.md", import.meta.url), "utf8");
  const examples = [...page.matchAll(/```sql\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  expect(examples.length).toBeGreaterThan(0);
  for (const example of examples) {
    const { rows } = await db.query<Record<string, unknown>>(example);
    expect(Object.values(rows[0] ?? {}), example).not.toContain(null);
  }
});

test("of a space that is reduced only its segment can be said", async () => {
  const space = { ...spaces.genres, reduced: { to: 2, by: "pca" }, dimensions: 2 };
  const said = (part: string) =>
    db.query<{ segment: number[] }>("select medley.encode_part($1, $2) as segment", [space, part]);
  await expect(said('"Comedy"')).rejects.toThrow("has to be encoded and reduced first");
  expect((await said("[3, 4]")).rows[0]?.segment).toEqual([expect.closeTo(0.6, 6), expect.closeTo(0.8, 6)]);
});
