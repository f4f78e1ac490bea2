import { strict as assert } from "node:assert";
import { availableParallelism } from "node:os";
import { backfill, type Deployment } from "medley";
import { notes } from "../bench-collections.ts";
import { type Deployed, deploy } from "../deployed.ts";
import { secondsOf } from "../duel.ts";
import { lengthMixes } from "../length-mixes.ts";
import { type Measurement, median } from "../measurement.ts";
import { syntheticSource } from "../synthetic-source.ts";

/** Many packets for each worker, so that what one of them does alone at the end counts little. */
const textsPerRound = 4_800;
/** So that each worker has opened its model and run its code before the timing begins. */
const warmUpTexts = 600;
const rounds = 3;
const ratioMin = 1.8;

/** Backfills by one embedding-worker on one core, and by two on a core each; the servers and the indexer run on both. */
export async function run(): Promise<Measurement[]> {
  if (availableParallelism() < 2) return [notMeasured("this machine has one core")];
  const { texts } = lengthMixes({ uniform: 1, natural: textsPerRound, short: 1 }).natural;
  await using deployed = await deploy({
    config: notes,
    lanes: "kafka-redis",
    environment: { MEDLEY_MODEL_THREADS: "1", MEDLEY_BACKLOG_PACKETS_MAX: "2000" },
  });
  await deployed.startService("indexer");
  const seconds: Record<1 | 2, number[]> = { 1: [], 2: [] };
  for (let round = 1; round <= rounds; round++) {
    for (const workers of [1, 2] as const) {
      seconds[workers].push(await backfillBy(workers, deployed, texts, `round-${round}-${workers}`));
    }
  }
  const ratio = median(seconds[1]) / median(seconds[2]);
  const rate = (workers: 1 | 2) => (texts.length / median(seconds[workers])).toFixed(1);
  return [
    {
      name: "two embedding-workers on two cores / one on one core",
      value: ratio,
      goal: `at least ${ratioMin}`,
      met: ratio >= ratioMin,
      detail:
        `${texts.length} texts of log-normal lengths, one model thread a worker, queue, indexer and Postgres on the same cores: ` +
        `${rate(2)} and ${rate(1)} texts/s over ${rounds} rounds`,
    },
  ];
}

async function backfillBy(
  workers: 1 | 2,
  { deployment, startService }: Deployed,
  texts: readonly string[],
  prefix: string,
): Promise<number> {
  const started = await Promise.all(
    Array.from({ length: workers }, (_, core) => startService("embedding-worker", { cores: [core] })),
  );
  await backfillWhole(deployment, texts.slice(0, warmUpTexts), `warm-${prefix}`);
  const seconds = await secondsOf(() => backfillWhole(deployment, texts, prefix));
  await Promise.all(started.map((worker) => worker.end("SIGTERM")));
  return seconds;
}

async function backfillWhole(
  deployment: Deployment,
  texts: readonly string[],
  prefix: string,
): Promise<void> {
  const source = syntheticSource(texts.length, (n) => ({ id: `${prefix}-${n}`, text: texts[n] }));
  const { state, progress } = await backfill({
    deployment,
    collection: "notes",
    source,
    path: source.name,
  });
  assert.deepEqual([state, progress.indexed], ["done", texts.length]);
}

function notMeasured(why: string): Measurement {
  const name = "two embedding-workers on two cores / one on one core";
  return { name, value: null, goal: `at least ${ratioMin}`, met: null, detail: why };
}
