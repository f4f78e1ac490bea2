import { strict as assert } from "node:assert";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type Encoder, segmentHashBytes, type VectorEnvelope, version } from "@medley/core";
import { batchesByLength, openModelRuntime, selectRows, splitRows } from "@medley/models";
import { buildIndex } from "@medley/store";
import { backfill, type Deployment } from "medley";
import { BareThreads } from "../bare-threads.ts";
import { notes } from "../bench-collections.ts";
import { cosine } from "../cosine.ts";
import { type Deployed, deploy } from "../deployed.ts";
import { duel, secondsOf } from "../duel.ts";
import { lengthMixes } from "../length-mixes.ts";
import type { Measurement } from "../measurement.ts";
import { randomVector, seededRandom } from "../random-rows.ts";
import type { BareLoopStart } from "../rivals/bare-loop.ts";
import { syntheticSource } from "../synthetic-source.ts";

const textsPerRound = 3_000;
const rounds = 3;
const backfillRatioMin = 0.9;
const streamRatioMin = 0.8;
const rowsBeforeStream = 10_000;
const packetRecords = 100;
const cosineMin = 0.9999;

/**
 * Texts of log-normal lengths through the services, both lanes, against a bare ONNX Runtime loop over the same texts in their
 * best batches, made beforehand; servers and services share its cores. Backfill: to the last row, then the index is built.
 * Stream: into a table of 10,000 rows with a live HNSW index.
 */
export async function run(): Promise<Measurement[]> {
  const threads = availableParallelism();
  const { texts } = lengthMixes({ uniform: 1, natural: textsPerRound, short: 1 }).natural;
  await using bare = await bareLoop(texts, threads);
  await using deployed = await deploy({
    config: notes,
    lanes: "kafka-redis",
    environment: { MEDLEY_MODEL_THREADS: "1", MEDLEY_BACKLOG_PACKETS_MAX: "2000" },
  });
  const { deployment } = deployed;
  await deployed.startService("embedding-worker", { environment: { MEDLEY_MODEL_THREADS: String(threads) } });
  await deployed.startService("indexer");
  let round = 0;
  const backfilled = await duel(
    rounds,
    async () => {
      round += 1;
      await emptyTable(deployed, 0);
      return secondsOf(() => backfillAndBuild(deployed, texts, `backfill-${round}`));
    },
    () => secondsOf(() => bare.round()),
  );
  await checkVectors(deployment, texts, `backfill-${round}`);
  const streamed = await duel(
    rounds,
    async () => {
      round += 1;
      await emptyTable(deployed, rowsBeforeStream);
      return secondsOf(() => stream(deployment, texts, `stream-${round}`));
    },
    () => secondsOf(() => bare.round()),
  );
  await checkVectors(deployment, texts, `stream-${round}`);
  const measurement = (name: string, fight: typeof streamed, ratioMin: number, how: string): Measurement => ({
    name: `${name} / bare onnxruntime-node loop`,
    value: fight.ratio,
    goal: `at least ${ratioMin}`,
    met: fight.ratio >= ratioMin,
    detail:
      `${texts.length} texts of log-normal lengths, ${threads} model threads, every service and server on the same cores: ours ` +
      `${(texts.length / fight.oursSeconds).toFixed(1)}, bare ${(texts.length / fight.theirsSeconds).toFixed(1)} texts/s; ` +
      `${how}; ratio ${fight.ratioMin.toFixed(3)} to ${fight.ratioMax.toFixed(3)} over ${rounds} rounds`,
  });
  return [
    measurement("full backfill", backfilled, backfillRatioMin, "Redis, upsert, then the index build"),
    measurement(
      "stream with live HNSW",
      streamed,
      streamRatioMin,
      `Kafka, upsert into an index of ${rowsBeforeStream} rows`,
    ),
  ];
}

async function bareLoop(texts: readonly string[], threads: number): Promise<BareThreads<Float32Array>> {
  await using runtime = openModelRuntime({ threads: 1, environment: {} });
  const open = await runtime.textModel("all-MiniLM-L6-v2");
  assert(open.model.kind === "text");
  const rows = splitRows(await open.prepare(texts));
  const groups = batchesByLength(
    rows.map(({ length }) => length),
    open.scale.batch,
  );
  const batches = groups.map((indices) => selectRows(rows, indices));
  const start: BareLoopStart = { modelPath: open.model.model.path, batches, padId: open.model.padId };
  return BareThreads.start<Float32Array>("bare-loop.ts", threads, { ...start });
}

/** With so many rows in it and an index over them, or neither. */
async function emptyTable({ deployment, databaseUrl }: Deployed, rowsBefore: number): Promise<void> {
  const { pool, store } = deployment;
  await pool.query("drop index if exists medley_internal.notes_g1_hnsw");
  await pool.query("truncate medley_internal.notes_g1");
  const { layout } = deployment.collection("notes");
  const random = seededRandom(7);
  for (let at = 0; at < rowsBefore; at += packetRecords) {
    const rows = Array.from({ length: packetRecords }, (_, n) => rowOf(at + n, randomVector(layout, random)));
    await store.writeRows("notes", rows, null);
  }
  if (rowsBefore > 0) await buildIndex(databaseUrl, "notes");
  await pool.query("checkpoint");
}

function rowOf(n: number, vector: readonly number[]): VectorEnvelope {
  return {
    id: `before-${n}`,
    version: version(1n),
    op: "upsert",
    source: "bench",
    fields: { text: "" },
    vector: Float16Array.from(vector),
    segmentHashes: new Uint8Array(segmentHashBytes),
  };
}

async function backfillAndBuild(
  { deployment, databaseUrl }: Deployed,
  texts: readonly string[],
  prefix: string,
): Promise<void> {
  const source = syntheticSource(texts.length, (n) => ({ id: `${prefix}-${n}`, text: texts[n] }));
  const { state, progress } = await backfill({ deployment, collection: "notes", source, path: source.name });
  assert.deepEqual([state, progress.indexed], ["done", texts.length]);
  await buildIndex(databaseUrl, "notes");
}

async function stream(deployment: Deployment, texts: readonly string[], prefix: string): Promise<void> {
  for (let at = 0; at < texts.length; at += packetRecords) {
    const part = texts.slice(at, at + packetRecords);
    await deployment.ingest(
      "notes",
      part.map((text, n) => ({ id: `${prefix}-${at + n}`, text })),
    );
  }
  for (;;) {
    const { rows } = await deployment.pool.query(
      "select count(*)::int as count from medley.notes where id like $1 || '-%'",
      [prefix],
    );
    if (rows[0].count === texts.length) return;
    await sleep(50);
  }
}

/** What is stored is what the encoder of this process gives. */
async function checkVectors(deployment: Deployment, texts: readonly string[], prefix: string): Promise<void> {
  const checked = texts.slice(0, 50);
  const { encoders } = deployment.collection("notes");
  const expected = await (encoders[0] as Encoder).encode(checked);
  const stored = await deployment.store.readSegments(
    "notes",
    checked.map((_, n) => `${prefix}-${n}`),
  );
  for (const [n, result] of expected.entries()) {
    const row = stored.get(`${prefix}-${n}`);
    assert(row !== undefined && result.ok);
    assert(cosine(Float64Array.from(row.vector), result.value) >= cosineMin, `vector of text ${n}`);
  }
}
