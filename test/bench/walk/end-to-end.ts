import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import {
  checkConfig,
  type EncodeResult,
  type Encoder,
  identityOf,
  type Packet,
  packetRecordsMax,
  type RecordEnvelope,
  type VectorEnvelope,
} from "@medley/core";
import { checkInputs, embed, pipelineCounters } from "@medley/pipeline";
import type { Deployment } from "medley";
import { duel, secondsOf } from "../duel.ts";
import { ingest, renamed, withPipeline } from "../embedded-pipeline.ts";
import { type Film, films } from "../films.ts";
import { type Measurement, median } from "../measurement.ts";

const filmsCount = 600;
const rounds = 3;
const goalRatio = 0.8;
const cosineMin = 0.9999;
const checkedCount = 200;
const goalPerSecond = 1_500;
const withoutModelRounds = 5;
/** As the deployed stage `embed` has in hand. */
const packetsInFlightMax = 3;

/** What the queue, the database and the checks cost beside the encoding; and how fast they are by themselves. */
export async function run(): Promise<Measurement[]> {
  const picked = films(filmsCount);
  return [
    await withPipeline({}, (deployment) => againstEmbed(deployment, picked)),
    await withPipeline({ collections: plotsAlone, encoderOf: () => cheapEncoder }, withoutModel),
  ];
}

async function againstEmbed(deployment: Deployment, picked: readonly Film[]): Promise<Measurement> {
  let round = 0;
  const whole = () => {
    round += 1;
    return secondsOf(() => ingest(deployment, renamed(picked, `round${round}`)));
  };
  const embedAlone = () => secondsOf(() => embedOnly(deployment, picked));
  const fight = await duel(rounds, whole, embedAlone);
  const cosine = await leastCosine(deployment, picked.slice(0, checkedCount), `round${round}`);
  assert(cosine >= cosineMin, `stored vectors differ from the encoder's: cosine ${cosine}`);
  const { rows } = await deployment.pool.query<{ count: number }>(
    "select count(*)::int as count from medley.films",
  );
  const stored = rows[0]?.count;
  assert.equal(stored, picked.length * round, "rows in the table");
  const perSecond = (seconds: number) => (picked.length / seconds).toFixed(1);
  return {
    name: "whole pipeline / stage embed alone",
    value: fight.ratio,
    goal: `at least ${goalRatio}`,
    met: fight.ratio >= goalRatio,
    detail:
      `${picked.length} films, 4 spaces, both queue hops and the store on PGlite: ${perSecond(fight.oursSeconds)}, ` +
      `embed alone ${perSecond(fight.theirsSeconds)} records/s; ratio ${fight.ratioMin.toFixed(3)} to ` +
      `${fight.ratioMax.toFixed(3)} over ${rounds} rounds; ${stored} rows, least cosine ${cosine.toFixed(6)}`,
  };
}

/** The stage with a store that holds nothing and a queue that goes nowhere; same encoders, same threads. */
async function embedOnly(deployment: Deployment, picked: readonly Film[]): Promise<VectorEnvelope[]> {
  const made: VectorEnvelope[] = [];
  const ports = {
    collections: deployment.collections,
    counters: pipelineCounters(),
    store: { readSegments: async () => new Map(), addDeadLetters: async () => {} },
    transport: {
      send: async (_channel: string, packet: Packet) => {
        made.push(...(packet.envelopes as readonly VectorEnvelope[]));
      },
    },
  };
  const { collection } = deployment.collection("films");
  const inputs = picked.map((value) => ({ value, source: "films.jsonl", textual: false }));
  const { envelopes } = checkInputs(deployment.produce, collection, inputs);
  const packets = packetsOf(envelopes);
  const { signal } = new AbortController();
  const worker = async () => {
    for (let packet = packets.shift(); packet !== undefined; packet = packets.shift()) {
      await embed(ports, { packet, attempt: 1 }, signal);
    }
  };
  await Promise.all(Array.from({ length: packetsInFlightMax }, worker));
  return made;
}

function packetsOf(envelopes: readonly RecordEnvelope[]): Packet[] {
  return Array.from({ length: Math.ceil(envelopes.length / packetRecordsMax) }, (_, index) => {
    const part = envelopes.slice(index * packetRecordsMax, (index + 1) * packetRecordsMax);
    return { collection: "films", envelopes: part, chunk: null };
  });
}

/** Between the stored vectors of a round and what the encoders give for the same films, space by space. */
async function leastCosine(deployment: Deployment, picked: readonly Film[], prefix: string): Promise<number> {
  const { collection, encoders, layout } = deployment.collection("films");
  const ids = picked.map(({ id }) => `${prefix}-${id}`);
  const stored = await deployment.store.readSegments("films", ids);
  assert.equal(stored.size, ids.length);
  let least = 1;
  for (const [index, space] of collection.spaces.entries()) {
    const { offset, dimensions } = layout[index] as (typeof layout)[number];
    const values = picked.map((film) => film[space.fields[0] as keyof Film]);
    const direct = await (encoders[index] as Encoder).encode(values);
    for (const [row, result] of direct.entries()) {
      assert(result.ok);
      const vector = stored.get(ids[row] as string)?.vector.subarray(offset, offset + dimensions);
      // A film of nobody in the vocabulary has no direction there.
      if (result.value.some((x) => x !== 0))
        least = Math.min(least, cosineOf([...result.value], [...(vector ?? [])]));
    }
  }
  return least;
}

function cosineOf(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, x, d) => sum + x * (b[d] as number), 0);
  return dot / (Math.hypot(...a) * Math.hypot(...b));
}

const fields = { title: "text", year: "number", genres: "categories", cast: "categories", plot: "text" };
const spaces = { plot: { encoder: "text", field: "plot" } };
const plotsAlone = new Map(
  checkConfig({ collections: { films: { fields, spaces } } }).map((collection) => ["films", collection]),
);

const cheapDimensions = 400;

/** In place of a model: the text's hash, repeated. */
const cheapEncoder: Encoder = {
  dimensions: cheapDimensions,
  identity: identityOf("sha256, repeated"),
  usesModel: false,
  encode: async (values) => values.map((value): EncodeResult => ({ ok: true, value: cheapSegment(value) })),
  encodeQuery: async (value) => cheapSegment(value),
};

function cheapSegment(value: unknown): Float32Array {
  const bytes = createHash("sha256").update(String(value)).digest();
  const segment = Float32Array.from({ length: cheapDimensions }, (_, d) => (bytes[d % 32] as number) - 127.5);
  const norm = Math.hypot(...segment);
  return segment.map((x) => x / norm);
}

async function withoutModel(deployment: Deployment): Promise<Measurement> {
  const all = films(Number.MAX_SAFE_INTEGER);
  const whole: number[] = [];
  const writes: number[] = [];
  const packets = packetsOf(await embedOnly(deployment, all));
  for (let round = 0; round <= withoutModelRounds; round++) {
    whole.push(await secondsOf(() => ingest(deployment, renamed(all, `round${round}`))));
    writes.push(await secondsOf(() => writeOnly(deployment, packets, `write${round}`)));
  }
  const perSecond = (seconds: number) => all.length / seconds;
  // The first round warms up.
  const rates = whole.slice(1).map(perSecond);
  const value = median(rates);
  return {
    name: "records/s without a model",
    value,
    goal: `at least ${goalPerSecond}`,
    met: value >= goalPerSecond,
    detail:
      `${all.length} films to ${cheapDimensions} dimensions by a hash, both queue hops and the store on PGlite: ` +
      `${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)} over ${withoutModelRounds} rounds; ` +
      `the guarded upsert alone, ${packetRecordsMax} rows a statement: ${perSecond(median(writes.slice(1))).toFixed(0)} rows/s`,
  };
}

async function writeOnly(deployment: Deployment, packets: readonly Packet[], prefix: string): Promise<void> {
  for (const { envelopes } of packets as readonly Packet<VectorEnvelope>[]) {
    const rows = envelopes.map((envelope) => ({ ...envelope, id: `${prefix}-${envelope.id}` }));
    await deployment.store.writeRows("films", rows, null);
  }
}
