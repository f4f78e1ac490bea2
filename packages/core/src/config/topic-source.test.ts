import { expect, test } from "vitest";
import { MedleyError } from "../errors.ts";
import { checkConfig } from "./check.ts";
import { defineConfig } from "./define.ts";

const good = {
  fields: { name: "text", made: "timestamp", place: "geo", price: "number" },
  spaces: { price: { encoder: "number", field: "price", range: [0, 1] } },
};
const topic = { kind: "topic", topic: "shop.public.products", format: "json" };

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
  ["the least", topic, {}],
  [
    "everything",
    {
      ...topic,
      format: "cloudevents",
      map: {
        name: "a.b",
        made: { path: "at", unit: "us" },
        place: { lat: "y", lon: "x" },
        price: "$event.price",
      },
      id: ["$key.a", "b"],
      version: { time: "$event.time" },
      deleteWhen: { path: "$event.type", is: ["*.deleted", true] },
      from: "latest",
      group: "g",
    },
    {},
  ],
  ["a number of the source's", { ...topic, format: "debezium", version: "$source.lsn" }, { version: "lsn" }],
  ["two topics", [topic, { ...topic, topic: "other" }], {}],
] as const)("accepted: %s", ([, source, collection]) => {
  expect(messageOf(source, collection)).toBe("accepted");
});

test.for([
  ["no such kind", { ...topic, kind: "queue" }, {}, "source 1, kind"],
  ["no such format", { ...topic, format: "avro" }, {}, "source 1, format"],
  ["an unknown key", { ...topic, maps: {} }, {}, 'unknown key "maps"'],
  ["a name no topic has", { ...topic, topic: "a b" }, {}, "is no topic's name"],
  [
    "a field that does not exist",
    { ...topic, map: { nmae: "a" } },
    {},
    'field "nmae" does not exist; did you mean "name"?',
  ],
  [
    "a unit of no timestamp",
    { ...topic, map: { name: { path: "a", unit: "s" } } },
    {},
    "only a timestamp has a unit",
  ],
  [
    "a place of no geo",
    { ...topic, map: { name: { lat: "a", lon: "b" } } },
    {},
    'only a place has "lat" and "lon"',
  ],
  ["an empty part", { ...topic, map: { name: "a..b" } }, {}, "has an empty part"],
  ["an unknown beginning", { ...topic, id: "$keys.a" }, {}, 'begins at "$keys"; did you mean "$key"?'],
  [
    "a beginning of another format",
    { ...topic, id: "$event.subject" },
    {},
    'format "json" has no "$event"; that is of format "cloudevents"',
  ],
  ["half a path", { ...topic, deleteWhen: { path: "$header", is: "a" } }, {}, '"$header" stops short'],
  [
    "what a message lacks",
    { ...topic, map: { made: "$message.time" } },
    {},
    "a message has topic, partition, offset, timestamp",
  ],
  [
    "a number where the others have the clock's",
    { ...topic, version: "rev" },
    {},
    'give the collection a "version" key',
  ],
  [
    "a time where the others have numbers",
    { ...topic, version: { time: "at" } },
    { version: "rev" },
    'does not compare with the numbers under "rev"',
  ],
  ["one topic twice", [topic, topic], {}, "is a source twice"],
] as const)("refused: %s", ([, source, collection, expected]) => {
  const message = messageOf(source, collection);
  expect(message).toContain("collection products");
  expect(message).toContain(expected);
});

test("two sources can't share a group, since its members would take each other's partitions", () => {
  const sources = [{ ...topic, group: "g" }];
  const other = [{ ...topic, topic: "orders", group: "g" }];
  expect(() =>
    checkConfig({ collections: { products: { ...good, sources }, orders: { ...good, sources: other } } }),
  ).toThrow('group "g" is given to two sources');
});

// The compiler is the test here: each `@ts-expect-error` fails the type check when the mistake below it compiles.
test("a misfit of a source and the fields does not compile", () => {
  const fields = { name: "text", made: "timestamp", place: "geo" } as const;
  const spaces = { name: { encoder: "text", field: "name" } } as const;
  const config = (
    products: Parameters<typeof defineConfig<{ products: typeof fields }>>[0]["collections"]["products"],
  ) => defineConfig({ collections: { products } });
  const source = { kind: "topic", topic: "t", format: "json" } as const;
  config({ fields, spaces, sources: [{ ...source, map: { name: "a", made: { path: "b", unit: "s" } } }] });
  config({ fields, spaces, sources: [{ ...source, map: { place: { lat: "y", lon: "x" } } }] });
  // @ts-expect-error a field that does not exist
  config({ fields, spaces, sources: [{ ...source, map: { nmae: "a" } }] });
  // @ts-expect-error a unit for a text
  config({ fields, spaces, sources: [{ ...source, map: { name: { path: "a", unit: "s" } } }] });
  // @ts-expect-error a unit that does not exist
  config({ fields, spaces, sources: [{ ...source, map: { made: { path: "a", unit: "weeks" } } }] });
  // @ts-expect-error a place for a timestamp
  config({ fields, spaces, sources: [{ ...source, map: { made: { lat: "a", lon: "b" } } }] });
  // @ts-expect-error a format that does not exist
  config({ fields, spaces, sources: [{ ...source, format: "avro" }] });
});

test("the fields of a configuration written in one go type its sources", () => {
  defineConfig({
    collections: {
      products: {
        fields: { name: "text" },
        spaces: { name: { encoder: "text", field: "name" } },
        // @ts-expect-error a field that does not exist
        sources: [{ kind: "topic", topic: "t", format: "json", map: { nmae: "title" } }],
      },
    },
  });
});
