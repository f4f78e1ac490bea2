import { expect, test } from "vitest";
import { MedleyError } from "../errors.ts";
import { checkConfig } from "./check.ts";
import { defineConfig } from "./define.ts";

const good = {
  fields: { name: "text", made: "timestamp", place: "geo", price: "number" },
  spaces: { price: { encoder: "number", field: "price", range: [0, 1] } },
};
const table = { kind: "postgres", table: "public.products" };

function messageOf(source: object, collection: object = {}): string {
  try {
    checkConfig({ collections: { products: { ...good, ...collection, sources: [source].flat() } } });
  } catch (error) {
    expect(error).toBeInstanceOf(MedleyError);
    return (error as MedleyError).message;
  }
  return "accepted";
}

test.for([
  ["the least", table, {}],
  ["a name without schema", { ...table, table: "Products 2" }, {}],
  [
    "everything",
    {
      ...table,
      urlVariable: "SHOP_DATABASE_URL",
      key: ["shop", "no"],
      map: {
        name: "title",
        made: { column: "made_at", zone: "Europe/Berlin" },
        place: { lat: "y", lon: "x" },
      },
      version: "rev",
      where: { listed: true, kind: ["a", 1], gone_at: null },
      changes: false,
      notify: false,
    },
    { version: "revision" },
  ],
  [
    "a table and a topic of that name",
    [table, { kind: "topic", topic: "public.products", format: "json" }],
    {},
  ],
] as const)("accepted: %s", ([, source, collection]) => {
  expect(messageOf(source, collection)).toBe("accepted");
});

test.for([
  ["no table's name", { ...table, table: "a.b.c" }, "is no table's name"],
  ["a quoted name", { ...table, table: '"a"' }, "without quotes"],
  ["an unknown key", { ...table, tables: "a" }, 'unknown key "tables"'],
  ["a variable no shell has", { ...table, urlVariable: "shop url" }, "urlVariable"],
  ["a column named twice", { ...table, key: ["a", "a"] }, "key: a column is named twice"],
  ["a field that does not exist", { ...table, map: { nmae: "a" } }, 'did you mean "name"?'],
  [
    "a zone for a text",
    { ...table, map: { name: { column: "a", zone: "UTC" } } },
    "only a timestamp has a zone",
  ],
  ["no such zone", { ...table, map: { made: { column: "a", zone: "Europe/Berlni" } } }, "is no time zone"],
  ["an offset", { ...table, map: { made: { column: "a", zone: "+02:00" } } }, "is no time zone"],
  [
    "a place for a number",
    { ...table, map: { price: { lat: "a", lon: "b" } } },
    'only a place has "lat" and "lon"',
  ],
  ["a version the collection lacks", { ...table, version: "rev" }, 'give the collection a "version" key'],
  ["an empty list", { ...table, where: { kind: [] } }, "where"],
  [
    "the same table, with and without its schema",
    [table, { ...table, table: "products" }],
    "is a source twice",
  ],
] as const)("refused: %s", ([, source, said]) => {
  expect(messageOf(source)).toContain(said);
});

test("a wrong field, and a shape that its field can't have, do not compile", () => {
  const { name, made } = good.fields as { name: "text"; made: "timestamp" };
  const base = { fields: { name, made }, spaces: {} };
  const source = { kind: "postgres", table: "products" } as const;
  defineConfig({ collections: { a: { ...base, sources: [{ ...source, map: { name: "title" } }] } } });
  // @ts-expect-error a field that does not exist
  defineConfig({ collections: { a: { ...base, sources: [{ ...source, map: { nmae: "title" } }] } } });
  const zoned = { column: "made_at", zone: "UTC" } as const;
  defineConfig({ collections: { a: { ...base, sources: [{ ...source, map: { made: zoned } }] } } });
  // @ts-expect-error only a timestamp has a zone
  defineConfig({ collections: { a: { ...base, sources: [{ ...source, map: { name: zoned } }] } } });
  const place = { lat: "y", lon: "x" } as const;
  // @ts-expect-error only a place has two columns
  defineConfig({ collections: { a: { ...base, sources: [{ ...source, map: { made: place } }] } } });
});
