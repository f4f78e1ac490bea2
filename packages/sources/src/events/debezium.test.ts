import { describe, expect, test } from "vitest";
import { change, keyWithSchema, nowMs, recordOf, withSchema } from "./messages.fixture.ts";

const debezium = { format: "debezium" } as const;
const row = { id: 7, name: "spade", price: 12.5, kind: "tool", made: 1_714_564_800_123_456 };

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
