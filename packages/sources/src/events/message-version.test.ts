import { type TopicSource, VersionClock } from "@medley/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type MappedMessage, mapMessage } from "./map-message.ts";
import { noMemory, type PartitionMemory, versionOfMessage } from "./message-version.ts";
import { change, collectionWith, type MessageParts, message, nowMs } from "./messages.fixture.ts";

const border = 2n ** 20n;

/** A partition: the time may stand still or go on; offsets have gaps (compaction, transactions) and begin anywhere. */
const partition = fc
  .record({
    start: fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 40n }),
      fc.integer({ min: -3, max: 3 }).map((n) => 5n * border + BigInt(n)),
    ),
    steps: fc.array(
      fc.record({ offsets: fc.integer({ min: 1, max: 3 }), ms: fc.constantFrom(0, 0, 0, 1, 7) }),
      {
        minLength: 2,
        maxLength: 40,
      },
    ),
  })
  .map(({ start, steps }) => {
    let [offset, timeMs] = [start, nowMs];
    return steps.map((step) => {
      offset += BigInt(step.offsets);
      timeMs += step.ms;
      return { offset, timeMs };
    });
  });

function versionsOf(messages: readonly { offset: bigint; timeMs: number }[], memory = noMemory): bigint[] {
  let known: PartitionMemory = memory;
  return messages.map((one) => {
    const given = versionOfMessage(one, known);
    known = given.memory;
    return given.version;
  });
}

test("while a partition's time does not fall, versions grow with the offset, also over a border within a millisecond", () => {
  fc.assert(
    fc.property(partition, (messages) => {
      const versions = versionsOf(messages);
      for (const [at, version] of versions.slice(1).entries())
        expect(version).toBeGreaterThan(versions[at] as bigint);
    }),
    { numRuns: 2_000 },
  );
});

test("what is read again has the version it had, wherever reading begins, except behind a border it did not see", () => {
  fc.assert(
    fc.property(partition, fc.nat({ max: 39 }), (messages, from) => {
      const start = from % messages.length;
      const versions = versionsOf(messages);
      for (const [at, version] of versionsOf(messages.slice(start)).entries()) {
        const before = versions[start + at] as bigint;
        expect([before, before - border]).toContain(version);
        const first = messages.findIndex(({ timeMs }) => timeMs === messages[start + at]?.timeMs);
        const crosses =
          (messages[first]?.offset ?? 0n) / border < (messages[start + at]?.offset ?? 0n) / border;
        if (!crosses) expect(version).toBe(before);
      }
    }),
    { numRuns: 2_000 },
  );
});

test.for([
  ["a record by HTTP in the same millisecond is next to it, not an age away", 0, 0],
  ["a message a millisecond later wins over the clock's versions before it", 1, 1],
] as const)("%s", ([, laterMs, expected]) => {
  const clock = new VersionClock({ nowMs: () => nowMs });
  const byHttp = clock.next();
  const { version } = versionOfMessage({ offset: 5n, timeMs: nowMs + laterMs }, noMemory);
  expect(Number((version >> 20n) - (byHttp >> 20n))).toBe(expected);
});

test("a key that moves to another partition, whose offsets are lower: the later message wins", () => {
  const before = versionOfMessage({ offset: 9_000_000n, timeMs: nowMs }, noMemory);
  const after = versionOfMessage({ offset: 0n, timeMs: nowMs + 1 }, noMemory);
  expect(after.version).toBeGreaterThan(before.version);
});

function map(
  source: Partial<TopicSource>,
  parts: readonly MessageParts[],
  versionKey?: string,
): MappedMessage[] {
  const collection = collectionWith(source, versionKey);
  let memory = noMemory;
  return parts.map((one, at) => {
    const [own] = collection.sources;
    const sent = message({ offset: BigInt(at), ...one });
    const result = mapMessage(own as TopicSource, collection, sent, { nowMs, memory });
    memory = result.memory;
    return result.mapped;
  });
}

const after = { id: 7, name: "spade" };

describe("clocks", () => {
  test("of producers whose clocks differ the newer time wins, whatever the order of their messages", () => {
    const [early, late] = map({}, [
      { timestampMs: nowMs, value: after },
      { timestampMs: nowMs - 60_000, value: after },
    ]);
    expect((early as { version: bigint }).version).toBeGreaterThan((late as { version: bigint }).version);
  });

  test.for([
    ["an hour ahead", nowMs + 3_600_000, "record"],
    ["more than that", nowMs + 3_600_001, "refused"],
    ["none (-1)", -1, "refused"],
  ] as const)("a timestamp %s", ([, timestampMs, kind]) => {
    const [mapped] = map({}, [{ timestampMs, value: after }]);
    expect(mapped).toMatchObject({ kind });
  });

  test.for([
    ["milliseconds", nowMs - 5],
    ["ISO 8601", new Date(nowMs - 5).toISOString()],
    ["missing", undefined],
    ["no time", "soon"],
  ] as const)("a time of the message's own: %s", ([name, at]) => {
    const [mapped] = map({ version: { time: "at" } }, [{ value: { ...after, at } }]);
    if (name === "milliseconds" || name === "ISO 8601") {
      expect(mapped).toMatchObject({ kind: "record", version: BigInt(nowMs - 5) << 20n });
    } else
      expect(mapped).toMatchObject({ kind: "refused", reason: 'there is no time at "at" in the message' });
  });
});

describe("numbers of the topic's own", () => {
  const lsn = { format: "debezium", version: "$source.lsn" } as const;
  const key = { id: 7 };

  test("the log's position is the version: of changes in one transaction, and of snapshots", () => {
    const mapped = map(
      lsn,
      [
        { key, value: change("r", { after, source: { lsn: 100, snapshot: "first" } }) },
        { key, value: change("u", { after, source: { lsn: 120 } }) },
        { key, value: change("u", { after, source: { lsn: "9007199254740993" } }) },
        { key, value: change("d", { source: { lsn: 140 } }) },
      ],
      "lsn",
    );
    expect(mapped.map((one) => one.kind === "record" && [one.version, one.value.lsn])).toEqual([
      [null, 100],
      [null, 120],
      [null, "9007199254740993"],
      [null, 140],
    ]);
  });

  test("a tombstone after its delete says the same again; any other delete without value has no version", () => {
    const deleted = { key, value: change("d", { source: { lsn: 140 } }) };
    const tombstone = { key, value: null };
    const kinds = (parts: readonly MessageParts[]) => map(lsn, parts, "lsn").map(({ kind }) => kind);
    expect(kinds([deleted, tombstone])).toEqual(["record", "repeated"]);
    expect(kinds([tombstone])).toEqual(["refused"]);
    expect(kinds([deleted, { key: { id: 8 }, value: null }])).toEqual(["record", "refused"]);
    expect(kinds([deleted, { key, value: change("c", { after }) }, tombstone])).toEqual([
      "record",
      "record",
      "refused",
    ]);
  });

  test("with the message's timestamp a tombstone is a delete of its own, just after the one it follows", () => {
    const [deleted, tombstone] = map({ format: "debezium" }, [
      { key, value: change("d") },
      { key, value: null },
    ]);
    const versions = [deleted, tombstone].map((one) => (one as { version: bigint }).version);
    expect((versions[1] as bigint) - (versions[0] as bigint)).toBe(1n);
  });

  test.for([
    ["under the collection's own name", {}, { revision: 5 }, 5],
    ["at a path", { version: "meta.rev" }, { meta: { rev: "6" } }, "6"],
    ["in a header", { version: "$header.rev" }, {}, "7"],
  ] as const)("%s", ([, source, value, expected]) => {
    const parts = { value: { ...after, ...value }, headers: { rev: "7" } };
    expect(map(source, [parts], "revision")).toMatchObject([
      { value: { revision: expected }, version: null },
    ]);
  });

  test("a delete without value takes it from a header", () => {
    const mapped = map(
      { version: "$header.rev" },
      [{ key: "7", value: null, headers: { rev: "8" } }],
      "revision",
    );
    expect(mapped).toMatchObject([{ kind: "record", value: { _op: "delete", id: "7", revision: "8" } }]);
  });
});
