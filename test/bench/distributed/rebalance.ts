import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError, packetRecordsMax } from "@medley/core";
import type { Deployment } from "medley";
import { countRows, pointOf, points } from "../bench-collections.ts";
import { type Deployed, deploy } from "../deployed.ts";
import type { Measurement } from "../measurement.ts";

const measuredSeconds = 20;
const rebalanceSeconds = 5;
const ratioMin = 0.5;

/** Records indexed while an embedding-worker joins or leaves the group every five seconds, against calm. */
export async function run(): Promise<Measurement[]> {
  await using deployed = await deploy({ config: points, lanes: "kafka-redis" });
  await deployed.startService("embedding-worker");
  await deployed.startService("indexer");
  const stop = new AbortController();
  const feeding = feed(deployed.deployment, stop.signal);
  await sleep(3_000);
  const calm = await rate(deployed.deployment);
  const restless = await rateWhileRebalancing(deployed);
  stop.abort();
  const sent = await feeding;
  await untilIndexed(deployed.deployment, sent);
  const ratio = restless / calm;
  return [
    {
      name: "throughput with a rebalance every 5 s / calm",
      value: ratio,
      goal: `at least ${ratioMin}`,
      met: ratio >= ratioMin,
      detail:
        `no-op model through Kafka, sender, one or two embedding-workers and an indexer: ${Math.round(calm)} records/s calm, ` +
        `${Math.round(restless)} while a second worker joins and leaves in turn, ${measuredSeconds} s each; all ${sent} records sent are indexed`,
    },
  ];
}

/** Sends as fast as there is room until aborted; returns how many. */
async function feed(deployment: Deployment, signal: AbortSignal): Promise<number> {
  let sent = 0;
  while (!signal.aborted) {
    const records = Array.from({ length: packetRecordsMax }, (_, n) => pointOf(`p${sent + n}`, sent + n));
    try {
      await deployment.ingest("points", records);
      sent += packetRecordsMax;
    } catch (error) {
      if (!(error instanceof MedleyError) || error.code !== "overloaded") throw error;
      await sleep(20);
    }
  }
  return sent;
}

async function rateWhileRebalancing(deployed: Deployed): Promise<number> {
  const measuring = rate(deployed.deployment);
  for (let seconds = 0; seconds < measuredSeconds; seconds += 2 * rebalanceSeconds) {
    const worker = await deployed.startService("embedding-worker");
    await sleep(rebalanceSeconds * 1_000);
    await worker.end("SIGTERM");
    await sleep(rebalanceSeconds * 1_000);
  }
  return measuring;
}

async function rate(deployment: Deployment): Promise<number> {
  const before = await countRows(deployment, "points");
  const startMs = performance.now();
  await sleep(measuredSeconds * 1_000);
  return (1_000 * ((await countRows(deployment, "points")) - before)) / (performance.now() - startMs);
}

async function untilIndexed(deployment: Deployment, expected: number): Promise<void> {
  while ((await countRows(deployment, "points")) < expected) await sleep(50);
}
