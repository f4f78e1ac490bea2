import fc from "fast-check";
import { expect, test } from "vitest";
import type { Packet, RecordEnvelope, VectorEnvelope } from "./envelope.ts";
import { decodePacket, encodePacket, packetSchemaVersion } from "./packet-codec.ts";
import { type EventEnvelope, envelopeOfEvent, eventOfEnvelope, type UserEvent } from "./user-event.ts";
import { version, versionMax } from "./version.ts";

// JSON has no negative zero, and validation lets no number through that is not finite.
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const text = fc.string({ unit: "binary" });
const fieldValue = fc.oneof(
  fc.constant(null),
  text,
  number,
  fc.array(text),
  fc.dictionary(text, number),
  fc.record({ lat: number, lon: number }),
  fc.array(number),
  fc.record({
    times: fc.option(fc.array(fc.integer())),
    values: fc.array(fc.array(fc.option(number))),
  }),
);
const record: fc.Arbitrary<RecordEnvelope> = fc.record({
  id: text,
  version: fc.bigInt({ min: 0n, max: versionMax }).map(version),
  op: fc.constantFrom("upsert", "delete"),
  fields: fc.dictionary(text, fieldValue),
  source: text,
});
const labels = fc.dictionary(
  fc.stringMatching(/^[a-z][a-z0-9_]{0,39}$/),
  fc.record({ label: text, probability: fc.double({ min: 0, max: 1, noNaN: true }) }),
);
const vector: fc.Arbitrary<VectorEnvelope> = fc
  .tuple(
    record,
    fc.uint16Array({ maxLength: 64 }),
    fc.uint8Array({ maxLength: 64 }),
    fc.option(labels),
    fc.option(fc.integer({ min: 2, max: 99 })),
  )
  .map(([envelope, bits, hashes, told, generation]) => ({
    ...(told === null ? {} : { labels: told }),
    ...(generation === null ? {} : { generation }),
    ...envelope,
    // Every bit pattern, also NaN's.
    vector: new Float16Array(Uint16Array.from(bits).buffer),
    segmentHashes: Uint8Array.from(hashes),
  }));
const outcomes = fc.record({
  indexed: fc.nat(),
  tombstoned: fc.nat(),
  superseded: fc.nat(),
  deadLetters: fc.nat(),
});
const chunk = fc.option(fc.record({ runId: text, chunk: fc.nat(), settled: outcomes }));

function packetOf<E extends RecordEnvelope>(envelope: fc.Arbitrary<E>): fc.Arbitrary<Packet<E>> {
  return fc.record({ collection: text, envelopes: fc.array(envelope, { maxLength: 5 }), chunk });
}

test("a packet of records comes back as it went", () => {
  fc.assert(
    fc.property(packetOf(record), (packet) => {
      expect(decodePacket("records", encodePacket(packet))).toEqual(packet);
    }),
  );
});

test("a packet of vectors comes back bit for bit", () => {
  fc.assert(
    fc.property(packetOf(vector), (packet) => {
      const back = decodePacket("vectors", encodePacket(packet));
      expect(back).toEqual(packet);
      const bits = (one: Packet<VectorEnvelope>) =>
        one.envelopes.map((envelope) => new Uint16Array(envelope.vector.buffer.slice(0)));
      expect(bits(back)).toEqual(bits(packet));
    }),
  );
});

test("a vector that is a view into a larger buffer travels alone", () => {
  const vectors = Float16Array.of(1, 2, 3, 4);
  const envelope = {
    id: "a",
    version: version(1n),
    op: "upsert",
    fields: {},
    source: "http",
    vector: vectors.subarray(1, 3),
    segmentHashes: Uint8Array.of(7),
  } as const;
  const [back] = decodePacket(
    "vectors",
    encodePacket({ collection: "c", envelopes: [envelope], chunk: null }),
  ).envelopes;
  expect(back?.vector).toEqual(Float16Array.of(2, 3));
});

// Written by schema version 1 and never changed: queues hold such packets across updates.
const fixtureOfSchema1 =
  '{"schemaVersion":1,"collection":"films","envelopes":[{"id":"tt0076759","version":"9223372036854775807","op":"upsert",' +
  '"fields":{"title":"Star Wars","genres":["Action","Adventure"],"year":1977,"budget":null,"studio":{"lat":37.7,"lon":-122.4}},' +
  '"source":"films.csv:17","vector":"ADwAwABAAAA=","segmentHashes":"AAECAwQFBgcICQoLDA0ODw=="},' +
  '{"id":"é","version":"0","op":"delete","fields":{},"source":"http","vector":"","segmentHashes":""}],' +
  '"chunk":{"runId":"r1","chunk":3,"settled":{"indexed":0,"tombstoned":0,"superseded":0,"deadLetters":1}}}';

test("schema 1 decodes for ever", () => {
  expect(decodePacket("vectors", fixtureOfSchema1)).toEqual({
    collection: "films",
    envelopes: [
      {
        id: "tt0076759",
        version: versionMax,
        op: "upsert",
        fields: {
          title: "Star Wars",
          genres: ["Action", "Adventure"],
          year: 1977,
          budget: null,
          studio: { lat: 37.7, lon: -122.4 },
        },
        source: "films.csv:17",
        vector: Float16Array.of(1, -2, 2, 0),
        segmentHashes: Uint8Array.from({ length: 16 }, (_, index) => index),
      },
      {
        id: "é",
        version: 0n,
        op: "delete",
        fields: {},
        source: "http",
        vector: new Float16Array(0),
        segmentHashes: new Uint8Array(0),
      },
    ],
    chunk: { runId: "r1", chunk: 3, settled: { indexed: 0, tombstoned: 0, superseded: 0, deadLetters: 1 } },
  });
});

test("fields a later writer added are left aside", () => {
  const later = fixtureOfSchema1.replace('"collection"', '"traceId":"abc","collection"');
  expect(decodePacket("vectors", later)).toEqual(decodePacket("vectors", fixtureOfSchema1));
});

test("a packet of a later schema version waits for an updated reader", () => {
  const later = fixtureOfSchema1.replace('"schemaVersion":1', `"schemaVersion":${packetSchemaVersion + 1}`);
  expect(() => decodePacket("vectors", later)).toThrow(expect.objectContaining({ code: "data_too_new" }));
});

test.for([
  "",
  "null",
  "[]",
  "{}",
  '{"schemaVersion":0,"collection":"c","envelopes":[]}',
  '{"schemaVersion":1,"collection":"c"}',
  '{"schemaVersion":1,"collection":"c","envelopes":[null]}',
  '{"schemaVersion":1,"collection":"c","envelopes":[{"id":"a","version":"-1","op":"upsert","fields":{},"source":"s"}]}',
  '{"schemaVersion":1,"collection":"c","envelopes":[{"id":"a","version":"x","op":"upsert","fields":{},"source":"s"}]}',
  '{"schemaVersion":1,"collection":"c","envelopes":[{"id":"a","version":"1","op":"upsert","fields":{},"source":"s"}]}',
])("%s is no packet of vectors", (text) => {
  expect(() => decodePacket("vectors", text)).toThrow(expect.objectContaining({ code: "body_malformed" }));
});

test("a packet with events is of schema 2, which readers before it wait at; one without is still of schema 1", () => {
  const event: UserEvent = {
    ...{ user: "u/1", eventId: "e", item: "heat", kind: "like", atMs: -5 },
    version: version(3n),
  };
  const envelope = envelopeOfEvent(event, "http:1");
  const encoded = encodePacket({ collection: "films", envelopes: [envelope], chunk: null });
  expect(JSON.parse(encoded).schemaVersion).toBe(2);
  const [decoded] = decodePacket("records", encoded).envelopes;
  expect(decoded).toEqual(envelope);
  expect(eventOfEnvelope(decoded as EventEnvelope)).toEqual(event);
  const without = encodePacket({
    collection: "films",
    envelopes: [{ ...envelope, op: "delete" }],
    chunk: null,
  });
  expect(JSON.parse(without).schemaVersion).toBe(1);
});

// Written by schema version 3 and never changed.
const fixtureOfSchema3 =
  '{"schemaVersion":3,"collection":"reviews","envelopes":[{"id":"r1","version":"7","op":"upsert","fields":{"text":"Fine."},' +
  '"source":"http","vector":"ADwAwA==","segmentHashes":"","labels":{"meaning":{"label":"good","probability":0.9375}}},' +
  '{"id":"r2","version":"8","op":"upsert","fields":{"text":null},"source":"http","vector":"AAAAAA==","segmentHashes":"",' +
  '"labels":{}},' +
  '{"id":"r3","version":"9","op":"delete","fields":{},"source":"http","vector":"","segmentHashes":""}],"chunk":null}';

test("a packet with labels is of schema 3, which readers before it wait at, also where none could be told", () => {
  const decoded = decodePacket("vectors", fixtureOfSchema3);
  expect(decoded.envelopes.map((envelope) => envelope.labels)).toEqual([
    { meaning: { label: "good", probability: 0.9375 } },
    {},
    undefined,
  ]);
  expect(encodePacket(decoded)).toBe(fixtureOfSchema3);
  const schemaOf = (envelopes: readonly VectorEnvelope[]) =>
    JSON.parse(encodePacket({ ...decoded, envelopes })).schemaVersion;
  expect(schemaOf(decoded.envelopes.slice(1))).toBe(3);
  expect(schemaOf(decoded.envelopes.slice(2))).toBe(1);
});

test("a packet for a later generation of rows is of schema 4, which readers before it wait at", () => {
  const decoded = decodePacket("vectors", fixtureOfSchema3);
  const schemaOf = (envelopes: readonly VectorEnvelope[]) =>
    JSON.parse(encodePacket({ ...decoded, envelopes })).schemaVersion;
  expect(schemaOf(decoded.envelopes.map((envelope) => ({ ...envelope, generation: 2 })))).toBe(4);
  expect(schemaOf(decoded.envelopes)).toBe(3);
});
