import {
  type Channel,
  type Collection,
  checkConfig,
  closedFormEncoder,
  type Encoder,
  MedleyError,
  type Packet,
  systemClock,
  type Transport,
  type VectorEnvelope,
  version,
} from "@medley/core";
import { collectionEncoders, pipelineCounters } from "@medley/pipeline";
import { MemoryQueue } from "@medley/transport";
import { expect, test } from "vitest";
import { runEmbedStage, runIndexStage } from "./stages.ts";

const record = {
  id: "a",
  version: version(3n),
  op: "upsert" as const,
  fields: { year: 1 },
  source: "test",
};

/** What has come by then, of which there is one at least. */
async function firstReceived(transport: Transport, channel: Channel): Promise<readonly Packet[]> {
  const received: Packet[] = [];
  const receiver = await transport.consume(
    channel,
    async ({ packet }) => {
      received.push(packet);
    },
    { packetsInFlightMax: 1 },
  );
  await expect.poll(() => received, { timeout: 5_000 }).toHaveLength(1);
  await receiver.close({ graceMs: 1_000 });
  return received;
}

test("vectors for a generation of rows that is gone are sent back as records, with their chunk", async () => {
  const transport = new MemoryQueue({ packetsMax: 10 }).open();
  const gone = new MedleyError("generation_gone", "it was dropped");
  const store = { writeRows: () => Promise.reject(gone) };
  const consumers = await runIndexStage({
    ...{ collections: new Map(), store: store as never, lanes: { stream: transport, backfill: transport } },
    ...{ counters: pipelineCounters(), clock: systemClock, onStageFailure: () => {} },
    onGenerationGone: async () => {},
  });
  const encoded = { vector: Float16Array.of(1), segmentHashes: Uint8Array.of(1), generation: 2 };
  const settled = { indexed: 0, tombstoned: 0, superseded: 1, deadLetters: 0 };
  const chunk = { runId: "run", chunk: 4, settled };
  const envelope: VectorEnvelope = {
    ...record,
    ...encoded,
    labels: { tone: { label: "x", probability: 1 } },
  };
  await transport.send("vectors", { collection: "films", envelopes: [envelope], chunk }, { key: "run-4" });
  const received = await firstReceived(transport, "records");
  await Promise.all(consumers.map((consumer) => consumer.close({ graceMs: 1_000 })));
  expect(received).toEqual([{ collection: "films", envelopes: [record], chunk }]);
  await transport.close();
});

test("records that are embedded for rows that have ended come again once this process has looked what is there", async () => {
  const transport = new MemoryQueue({ packetsMax: 10 }).open();
  const [collection] = checkConfig({
    collections: {
      films: {
        fields: { year: "number" },
        spaces: { year: { encoder: "number", field: "year", range: [0, 9] } },
      },
    },
  }) as [Collection];
  const encoders = collection.spaces.map((space) => closedFormEncoder(space, collection.fields) as Encoder);
  const collections = new Map([["films", collectionEncoders(collection, encoders, 1)]]);
  const gone = new MedleyError("generation_gone", "it was dropped");
  const store = {
    readSegments: async (_collection: string, _ids: readonly string[], generation: number) =>
      generation === 1 ? Promise.reject(gone) : new Map(),
  };
  const consumers = await runEmbedStage({
    ...{ collections, store: store as never, lanes: { stream: transport, backfill: transport } },
    ...{ counters: pipelineCounters(), clock: systemClock, onStageFailure: () => {} },
    onGenerationGone: async () => void collections.set("films", collectionEncoders(collection, encoders, 2)),
  });
  await transport.send("records", { collection: "films", envelopes: [record], chunk: null });
  const received = await firstReceived(transport, "vectors");
  await Promise.all(consumers.map((consumer) => consumer.close({ graceMs: 1_000 })));
  expect(received[0]?.envelopes).toMatchObject([{ id: "a", generation: 2 }]);
  await transport.close();
});
