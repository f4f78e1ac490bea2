import type { TopicSource } from "@medley/core";
import { describe, expect, test } from "vitest";
import { map, nowMs, recordOf } from "./messages.fixture.ts";

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
