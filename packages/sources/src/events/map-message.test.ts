import type { TopicSource } from "@medley/core";
import { parseRecord, version } from "@medley/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mapMessage } from "./map-message.ts";
import { noMemory } from "./message-version.ts";
import {
  change,
  cloudEvent,
  collectionWith,
  headersOf,
  keyWithSchema,
  type MessageParts,
  message,
  nowMs,
  withSchema,
} from "./messages.fixture.ts";

function map(source: Partial<TopicSource>, parts: MessageParts, versionKey?: string) {
  const collection = collectionWith(source, versionKey);
  const [own] = collection.sources;
  return mapMessage(own as TopicSource, collection, message(parts), { nowMs }).mapped;
}

/** The record as the pipeline has it, or why there is none. */
function recordOf(source: Partial<TopicSource>, parts: MessageParts, versionKey?: string) {
  const mapped = map(source, parts, versionKey);
  if (mapped.kind !== "record") return mapped.kind === "refused" ? mapped.reason : mapped.kind;
  const arrivalVersion = version(mapped.version ?? 0n);
  const parsed = parseRecord(collectionWith(source, versionKey), mapped.value, {
    source: mapped.source,
    textual: false,
    arrivalVersion,
  });
  if (!parsed.ok) return parsed.failure.message;
  const { fields, ...envelope } = parsed.value;
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
  return { ...envelope, fields: given };
}

const debezium = { format: "debezium" } as const;
const cloudevents = { format: "cloudevents" } as const;
const row = { id: 7, name: "spade", price: 12.5, kind: "tool", made: 1_714_564_800_123_456 };

describe("JSON", () => {
  test("fields of the same name are taken, others are not looked at; the source names the message", () => {
    const value = { id: 7, name: "spade", price: 12.5, tags: ["iron"], colour: { hue: 3 } };
    expect(recordOf({}, { value })).toEqual({
      id: "7",
      op: "upsert",
      version: (BigInt(nowMs - 1_000) << 20n) + 17n,
      source: "shop.public.products[3]@17",
      fields: { name: "spade", price: 12.5, tags: ["iron"] },
    });
  });

  test.for([
    ["nested", { name: "details.title" }, { details: { title: "spade" } }, { name: "spade" }],
    ["a key with dots", { name: "a.b" }, { "a.b": "spade" }, { name: "spade" }],
    ["an entry of a list", { name: "titles.1" }, { titles: ["x", "spade"] }, { name: "spade" }],
    [
      "each entry",
      { tags: "labels.*.name" },
      { labels: [{ name: "a" }, {}, { name: "b" }] },
      { tags: ["a", "b"] },
    ],
    ["the key", { name: "$key.title" }, { price: 1 }, { name: "of the key", price: 1 }],
    ["a header", { kind: "$header.kind" }, { price: 1 }, { kind: "tool", price: 1 }],
    [
      "the message",
      { kind: "$message.topic", made: "$message.timestamp" },
      {},
      { kind: "shop.public.products", made: nowMs - 1_000 },
    ],
    ["seconds", { made: { path: "at", unit: "s" } }, { at: 1_714_564_800 }, { made: 1_714_564_800_000 }],
    [
      "microseconds",
      { made: { path: "at", unit: "us" } },
      { at: 1_714_564_800_123_999 },
      { made: 1_714_564_800_123 },
    ],
    [
      "nanoseconds beyond 2^53",
      { made: { path: "at", unit: "ns" } },
      '{"id":7,"at":1714564800123999999}',
      { made: 1_714_564_800_123 },
    ],
    ["days before 1970", { made: { path: "at", unit: "days" } }, { at: -1 }, { made: -86_400_000 }],
    [
      "a unit with a text that needs none",
      { made: { path: "at", unit: "s" } },
      { at: "2024-05-01T12:00:00Z" },
      { made: 1_714_564_800_000 },
    ],
    [
      "two numbers as a place",
      { place: { lat: "y", lon: "x" } },
      { x: "4.9", y: 52.4 },
      { place: { lat: 52.4, lon: 4.9 } },
    ],
    [
      "a half place is none",
      { place: { lat: "y", lon: "x" }, name: "n" },
      { y: 1, n: "a" },
      'field "place" has the longitude null',
    ],
    [
      "texts that stand for numbers, lists, vectors",
      {},
      { price: "12.50", tags: "a|b", face: "[1,0,0]" },
      { price: 12.5, tags: ["a", "b"], face: [1, 0, 0] },
    ],
    [
      "numbers and booleans as categories",
      {},
      { kind: 4, tags: [1, true] },
      { kind: "4", tags: ["1", "true"] },
    ],
    ["an empty text stays one", {}, { name: "", price: 1 }, { name: "", price: 1 }],
  ] as const)("%s", ([, mapping, value, expected]) => {
    const key = { id: 7, title: "of the key" };
    const parts = {
      key,
      value: typeof value === "string" ? value : { id: 7, ...value },
      headers: { kind: "tool" },
    };
    const record = recordOf({ map: mapping as TopicSource["map"] } as Partial<TopicSource>, parts);
    if (typeof expected === "string") expect(record).toContain(expected);
    else expect(record).toMatchObject({ id: "7", fields: expected });
  });

  test.for([
    ["of the record", undefined, { id: 7 }, "k", "7"],
    ["of the key, where the record has none", undefined, {}, "k", "k"],
    ["a key that is no JSON of an object stays as it is", undefined, {}, "1e5", "1e5"],
    ["of a key with one part", undefined, {}, { product_id: 9 }, "9"],
    ["a key of many parts is ambiguous", undefined, {}, { a: 1, b: 2 }, "the message's key has 2 parts"],
    ["by a path", "meta.sku", { meta: { sku: "s-1" } }, null, "s-1"],
    ["of the key by name", "$key", { id: 7 }, "k", "k"],
    ["an integer beyond 2^53", undefined, '{"id":9007199254740993,"name":"a"}', null, "9007199254740993"],
    ["several parts, so that no two of them meet", ["$key.a", "$key.b"], {}, { a: "x:1", b: 2 }, "x%3A1:2"],
    ["nothing there", "meta.sku", {}, null, 'there is no id at "meta.sku"'],
    ["no id at all", undefined, {}, null, 'no "id" in the record and no id in the message\'s key'],
    ["a list is none", "ids", { ids: [1] }, null, 'there is no id at "ids"'],
  ] as const)("the id: %s", ([, id, value, key, expected]) => {
    const parts = { key, value: typeof value === "string" ? value : { name: "a", ...value } };
    const record = recordOf(id === undefined ? {} : { id }, parts);
    expect(typeof record === "string" ? record : record.id).toContain(expected);
  });

  test.for([
    ["no value", {}, null, "delete"],
    ["by a condition", { deleteWhen: { path: "state", is: "archived" } }, { state: "archived" }, "delete"],
    ["by one of several", { deleteWhen: { path: "gone", is: [true, 1] } }, { gone: 1 }, "delete"],
    ["by an ending", { deleteWhen: { path: "$header.type", is: "*.deleted" } }, { name: "a" }, "delete"],
    ["by a beginning", { deleteWhen: { path: "$header.type", is: "prod*" } }, { name: "a" }, "delete"],
    ["not by another", { deleteWhen: { path: "gone", is: true } }, { gone: "true", name: "a" }, "upsert"],
  ] as const)("a delete: %s", ([, source, value, op]) => {
    const headers = { type: "product.deleted" };
    const record = recordOf(source, { key: "k", value, headers });
    expect(record).toMatchObject({ id: "k", op });
    if (op === "delete") expect(record).toMatchObject({ fields: {} });
  });

  test.for([
    ["not JSON", "{not json", "body_malformed", "the message's value is no JSON"],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0x22]), "body_malformed", "is no JSON"],
    ["Avro of a registry", Buffer.from([0, 0, 0, 0, 9, 14, 2]), "body_malformed", "schema registry"],
    ["a list", [1], "record_invalid", "no JSON object"],
    ["a text", '"a"', "record_invalid", "no JSON object"],
    [
      "nothing of the collection",
      { naem: "a" },
      "record_invalid",
      'look at the source\'s "format" and "map"',
    ],
  ] as const)("refused: %s", ([, value, code, reason]) => {
    expect(map({}, { key: "k", value })).toMatchObject({
      kind: "refused",
      code,
      reason: expect.stringContaining(reason),
    });
  });

  test("JSON behind a schema registry's head is read", () => {
    const value = Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), Buffer.from('{"id":1,"name":"a"}')]);
    expect(recordOf({}, { value })).toMatchObject({ id: "1", fields: { name: "a" } });
  });
});

describe("Debezium", () => {
  test.for(["c", "u", "r"])("op %s brings the row", (op) => {
    const value = change(op, { before: { ...row, name: "old" }, after: { ...row, made: undefined } });
    expect(recordOf(debezium, { key: { id: 7 }, value })).toMatchObject({
      id: "7",
      op: "upsert",
      fields: { name: "spade", price: 12.5, kind: "tool" },
    });
  });

  test.for([
    ["op d, the row before it known", { value: change("d", { before: row }) }],
    ["op d with its key alone", { value: change("d") }],
    ["a tombstone", { value: null }],
    ["a row marked as deleted", { value: { ...row, __deleted: "true" } }],
    ["a row with its op", { value: { ...row, __op: "d" } }],
  ] as const)("a delete: %s", ([, parts]) => {
    expect(recordOf(debezium, { key: { id: 7 }, ...parts })).toMatchObject({
      id: "7",
      op: "delete",
      fields: {},
    });
    expect(recordOf(debezium, { key: keyWithSchema(7), ...parts })).toMatchObject({ id: "7", op: "delete" });
  });

  test.for([
    ["truncate", change("t"), "the table was emptied"],
    ["a logical message", { op: "m", source: {}, message: { prefix: "p", content: "YQ==" } }, "op m"],
    ["an unknown op", change("x"), "none of c, u, r, d, t, m"],
    ["no row", change("u"), 'has no "after"'],
    ["no object", [1], "no change event"],
  ] as const)("refused: %s", ([, value, reason]) => {
    expect(recordOf(debezium, { key: { id: 7 }, value })).toContain(reason);
  });

  test("encodings with their schema become what a record holds", () => {
    const after = {
      id: 7,
      name: "spade",
      // 1250 with scale 2; POINT(4.9 52.4), little-endian, SRID 4326.
      price: "BOI=",
      kind: "tool",
      tags: ["iron", "garden"],
      made: 1_714_564_800_123_456,
      place: {
        wkb: Buffer.from("0101000020e61000009a999999999913403333333333334a40", "hex").toString("base64"),
        srid: 4326,
      },
      face: [1, 0, 0.5],
      photo: "iVBORw0KGgo=",
    };
    const value = withSchema(change("c", { after }));
    expect(recordOf(debezium, { key: keyWithSchema(7), value })).toMatchObject({
      id: "7",
      fields: {
        name: "spade",
        price: 12.5,
        kind: "tool",
        tags: ["iron", "garden"],
        made: 1_714_564_800_123,
        place: { lat: 52.4, lon: 4.9 },
        face: [1, 0, 0.5],
        photo: "data:;base64,iVBORw0KGgo=",
      },
    });
  });

  test.for([
    [
      "an unchanged TOASTed text",
      { name: "__debezium_unavailable_value" },
      'field "name" is left out of the event',
    ],
    [
      "unchanged bytes",
      { photo: Buffer.from("__debezium_unavailable_value").toString("base64") },
      "replica identity full",
    ],
    ["an unchanged list", { tags: ["__debezium_unavailable_value"] }, 'field "tags" is left out'],
  ] as const)("refused: %s", ([, after, reason]) => {
    expect(
      recordOf(debezium, { key: { id: 7 }, value: change("u", { after: { ...row, ...after } }) }),
    ).toContain(reason);
  });

  test("a row of its own: names with __ are Debezium's, the source's are found under $source", () => {
    const value = {
      ...row,
      made: "2024-05-01",
      __op: "u",
      __lsn: 77,
      __source_ts_ms: nowMs - 9_000,
      __deleted: "false",
    };
    expect(recordOf({ ...debezium, version: "$source.lsn" }, { key: { id: 7 }, value }, "lsn")).toMatchObject(
      {
        version: 77n,
        op: "upsert",
      },
    );
    expect(
      recordOf({ ...debezium, version: { time: "$source.ts_ms" } }, { key: { id: 7 }, value }),
    ).toMatchObject({
      version: (BigInt(nowMs - 9_000) << 20n) + 17n,
    });
  });
});

test("when the connector worked on a row is not when the row changed", () => {
  const value = { ...row, made: "2024-05-01", __ts_ms: nowMs - 1 };
  const timed = { ...debezium, version: { time: "$source.ts_ms" } } as const;
  expect(recordOf(timed, { key: { id: 7 }, value })).toContain('no time at "$source.ts_ms"');
});

describe("CloudEvents", () => {
  const data = { name: "spade", price: 3 };
  const structured = { ...cloudEvent, datacontenttype: "application/json", data };
  const json = { "content-type": "application/json; charset=utf-8" };

  test.for([
    ["binary", { headers: { ...headersOf(cloudEvent), ...json }, value: data }],
    [
      "binary, of a vendor's JSON",
      { headers: { ...headersOf(cloudEvent), "content-type": "application/vnd.a+json" }, value: data },
    ],
    [
      "structured",
      { headers: { "content-type": "application/cloudevents+json; charset=UTF-8" }, value: structured },
    ],
    ["structured, unannounced", { value: structured }],
    [
      "structured, base64",
      { value: { ...cloudEvent, data_base64: Buffer.from(JSON.stringify(data)).toString("base64") } },
    ],
  ] as const)("%s", ([, parts]) => {
    expect(recordOf(cloudevents, parts)).toMatchObject({ id: "product-7", op: "upsert", fields: data });
    const mapped = { ...cloudevents, map: { kind: "$event.type" }, id: "$event.id" } as const;
    expect(recordOf(mapped, parts)).toMatchObject({
      id: cloudEvent.id,
      fields: { ...data, kind: cloudEvent.type },
    });
    const timed = { ...cloudevents, version: { time: "$event.time" } } as const;
    expect(recordOf(timed, parts)).toMatchObject({ version: (BigInt(nowMs - 1_500) << 20n) + 17n });
  });

  test.for([
    [
      "by its type, without data",
      { headers: { ...headersOf({ ...cloudEvent, type: "com.example.product.deleted.v1" }) } },
    ],
    [
      "by its type, structured",
      { value: { ...cloudEvent, type: "com.example.product.deleted.v2", data: { id: "product-7" } } },
    ],
    ["without value and attributes", { key: "product-7" }],
  ] as const)("a delete: %s", ([, parts]) => {
    const deleteWhen = { path: "$event.type", is: "com.example.product.deleted.*" };
    expect(recordOf({ ...cloudevents, deleteWhen }, parts)).toMatchObject({ id: "product-7", op: "delete" });
  });

  test.for([
    ["no attributes", { value: data }, "it has no specversion, id, source, type"],
    [
      "a part of them",
      { headers: { ce_type: "a", ce_specversion: "1.0" }, value: data },
      "it has no id, source",
    ],
    [
      "other data",
      { headers: { ...headersOf(cloudEvent), "content-type": "text/csv" }, value: "a,b" },
      "data is text/csv",
    ],
    [
      "another format",
      { headers: { "content-type": "application/cloudevents+avro" }, value: "x" },
      "application/cloudevents+avro",
    ],
    [
      "a batch",
      { headers: { "content-type": "application/cloudevents-batch+json" }, value: [structured] },
      "only application/cloudevents+json",
    ],
    ["no data and no delete", { headers: headersOf(cloudEvent) }, "has no field of collection"],
    ["data that is a text", { value: { ...cloudEvent, data: "spade" } }, "no JSON object"],
  ] as const)("refused: %s", ([, parts, reason]) => {
    expect(recordOf(cloudevents, parts)).toContain(reason);
  });
});

test("whatever bytes come, they are a record, a repetition or refused, and the same each time", () => {
  const collection = collectionWith({});
  const bytes = fc.option(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record({
          op: fc.constantFrom("c", "u", "d", "t", 1),
          after: fc.jsonValue(),
          source: fc.jsonValue(),
          id: fc.jsonValue(),
        })
        .map((value) => Buffer.from(JSON.stringify(value))),
    ),
    { nil: null },
  );
  const headers = fc.dictionary(
    fc.constantFrom("ce_id", "ce_type", "content-type", "__proto__"),
    fc.string(),
  );
  const format = fc.constantFrom("json", "cloudevents", "debezium") as fc.Arbitrary<TopicSource["format"]>;
  fc.assert(
    fc.property(bytes, bytes, headers, format, (key, value, given, formatOf) => {
      const source: TopicSource = {
        kind: "topic",
        topic: "t",
        format: formatOf,
        map: { name: "a.*.b", made: "op" },
      };
      const one = { ...message({}), key, value, headers: given };
      const first = mapMessage(source, collection, one, { nowMs });
      expect(["record", "refused"]).toContain(first.mapped.kind);
      expect(mapMessage(source, collection, one, { nowMs, memory: noMemory })).toEqual(first);
    }),
    { numRuns: 2_000 },
  );
});
