import type { TopicSource } from "@medley/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { mapMessage } from "./map-message.ts";
import { noMemory } from "./message-version.ts";
import { collectionWith, message, nowMs } from "./messages.fixture.ts";

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
