import { type Packet, type VectorEnvelope, version } from "@medley/core";
import { expect, test } from "vitest";
import { packPacket, unpackPacket } from "./payload.ts";

const packet: Packet<VectorEnvelope> = {
  collection: "films",
  envelopes: [
    {
      id: "a\u0000\ud800",
      version: version(7n),
      op: "upsert",
      fields: { text: "\u0000" },
      source: "http",
      vector: Float16Array.of(0.5),
      segmentHashes: Uint8Array.of(1, 2),
    },
  ],
  chunk: null,
};

test("a packet comes back, also with characters that Postgres' jsonb refuses", async () => {
  const payload = await packPacket(packet);
  expect(JSON.stringify(payload)).toMatch(/^[ -~]*$/);
  expect(await unpackPacket("vectors", payload)).toEqual(packet);
});

// Written by the first release and never changed: queues hold such jobs across updates.
test("the first release's payload unpacks for ever", async () => {
  const payload = {
    zstd: "KLUv/QBYIQIAeyJzY2hlbWFWZXJzaW9uIjoxLCJjb2xsZWN0aW9uIjoiZmlsbXMiLCJlbnZlbG9wZXMiOltdLCJjaHVuayI6bnVsbH0=",
  };
  expect(await unpackPacket("vectors", payload)).toEqual({ ...packet, envelopes: [] });
});

test.for([null, {}, { zstd: 1 }, { zstd: "" }, { zstd: "!" }, { zstd: "KLUv/QBYAQAA" }, { gzip: "H4sI" }])(
  "%j is no payload",
  async (payload) => {
    await expect(unpackPacket("records", payload)).rejects.toMatchObject({ code: "body_malformed" });
  },
);
