import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError, packetRecordsMax } from "@medley/core";
import { backfill, type Deployment } from "medley";
import { countRows, pointOf, points } from "../bench-collections.ts";
import { type Deployed, deploy } from "../deployed.ts";
import { type Measurement, median } from "../measurement.ts";
import { syntheticSource } from "../synthetic-source.ts";

const recordsPerRound = 40_000;
const rounds = 5;
const perSecondMin = 10_000;

export async function run(): Promise<Measurement[]> {
  await using deployed = await deploy({
    config: points,
    lanes: "kafka-redis",
    environment: { MEDLEY_BACKLOG_PACKETS_MAX: "2000" },
  });
  await deployed.startService("embedding-worker");
  await deployed.startService("indexer");
  return [
    await throughput(deployed, "through Kafka", streamed),
    await throughput(deployed, "through BullMQ on Redis", backfilled),
  ];
}

type Send = (deployment: Deployment, prefix: string) => Promise<void>;

async function throughput(deployed: Deployed, name: string, send: Send): Promise<Measurement> {
  const { deployment } = deployed;
  const rates: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    await deployment.pool.query("truncate medley_internal.points_g1");
    const startMs = performance.now();
    await send(deployment, `${name}-${round}`);
    await untilIndexed(deployment);
    // The first round warms up.
    if (round > 0) rates.push((1_000 * recordsPerRound) / (performance.now() - startMs));
  }
  const rate = median(rates);
  return {
    name: `no-op model ${name}, records/s`,
    value: Math.round(rate),
    goal: `at least ${perSecondMin}`,
    met: rate >= perSecondMin,
    detail:
      `${recordsPerRound} new records of 8 dimensions, from the sender to the last row: sender, one embedding-worker, one ` +
      `indexer, the queue and Postgres with fsync on the same cores; ${Math.round(Math.min(...rates))} to ` +
      `${Math.round(Math.max(...rates))} records/s over ${rounds} rounds`,
  };
}

async function streamed(deployment: Deployment, prefix: string): Promise<void> {
  const sending = new Set<Promise<void>>();
  for (let at = 0; at < recordsPerRound; at += packetRecordsMax) {
    const records = Array.from({ length: packetRecordsMax }, (_, n) =>
      pointOf(`${prefix}-${at + n}`, at + n),
    );
    const sent = ingest(deployment, records).finally(() => sending.delete(sent));
    sending.add(sent);
    if (sending.size >= 8) await Promise.race(sending);
  }
  await Promise.all(sending);
}

async function ingest(deployment: Deployment, records: readonly unknown[]): Promise<void> {
  for (;;) {
    try {
      const { rejected } = await deployment.ingest("points", records);
      assert.equal(rejected.length, 0);
      return;
    } catch (error) {
      if (!(error instanceof MedleyError) || error.code !== "overloaded") throw error;
      await sleep(20);
    }
  }
}

async function backfilled(deployment: Deployment, prefix: string): Promise<void> {
  const source = syntheticSource(recordsPerRound, (n) => pointOf(`${prefix}-${n}`, n));
  const { state } = await backfill({ deployment, collection: "points", source, path: "synthetic.jsonl" });
  assert.equal(state, "done");
}

async function untilIndexed(deployment: Deployment): Promise<void> {
  for (;;) {
    if ((await countRows(deployment, "points")) === recordsPerRound) return;
    await sleep(20);
  }
}
