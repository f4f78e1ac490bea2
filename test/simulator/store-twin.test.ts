/** The simulated store answers as the real one does, statement by statement: what the simulator shows holds for Postgres. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DeadLetter,
  type Store,
  type StoredSegments,
  segmentHashBytes,
  type VectorEnvelope,
  version,
} from "@medley/core";
import { collectionEncoders } from "@medley/pipeline";
import { migrate, openEmbeddedPostgres, openPool, openPostgresStore } from "@medley/store";
import { expect, test } from "vitest";
import { Chance } from "./chance.ts";
import { Host, type Life } from "./host.ts";
import { arrivalVersioned, SimulatedEncoder, vectorOf } from "./notes.ts";
import { realRules, SimulatedStore } from "./store.ts";
import { World } from "./world.ts";

const ids = ["a", "b", "c", "d", "e"];
const statements = 300;
const { name } = arrivalVersioned;

function openTwin() {
  const world = new World(1);
  const rates = () => ({ lost: 0, unanswered: 0 });
  const host = new Host({ world, name: "twin", rates, restartMsMax: 0, main: async () => [] });
  host.start();
  const life = host.life as Life;
  const judge = { wrote: () => {}, lettered: () => {}, chunkDone: () => {} };
  const simulated = new SimulatedStore({ world, judge, lockMs: 0, rules: realRules });
  /** Asks the simulated store, and lets its time pass until it has answered. */
  const ask = async <Value>(question: (store: Store) => Promise<Value>): Promise<Value> => {
    let isAnswered = false;
    const answer = question(simulated.openFor(life)).finally(() => {
      isAnswered = true;
    });
    answer.catch(() => {});
    await world.run(() => isAnswered);
    return answer;
  };
  const encoders = arrivalVersioned.spaces.map(
    (space) => new SimulatedEncoder(space.name, life, () => ({ downUntilMs: 0, runMs: 0, hangs: 0 })),
  );
  return { simulated, ask, layout: collectionEncoders(arrivalVersioned, encoders) };
}

function envelopesOf(chance: Chance): VectorEnvelope[] {
  const chosen = chance.shuffled(ids).slice(0, chance.between(1, ids.length));
  return chosen.map((id) => {
    const isDelete = chance.happens(0.3);
    const fields = isDelete ? {} : { title: `title ${chance.below(3)}`, body: null };
    return {
      id,
      version: version(BigInt(chance.between(1, 60))),
      op: isDelete ? "delete" : "upsert",
      fields,
      source: "twin",
      vector: isDelete ? new Float16Array(0) : vectorOf(fields),
      segmentHashes: new Uint8Array(isDelete ? 0 : 2 * segmentHashBytes).fill(chance.below(256)),
    };
  });
}

function lettersOf(chance: Chance): DeadLetter[] {
  return Array.from({ length: chance.between(1, 3) }, () => ({
    collection: name,
    recordId: chance.oneOf(ids),
    version: BigInt(chance.between(1, 3)),
    stage: "embed",
    code: "encoder_failed",
    reason: "it can't be read",
    payload: Buffer.from("{}"),
    source: "twin",
    runId: null,
    attempt: 1,
    trace: null,
  }));
}

/** Without the classes that bytes come in. */
function plain(segments: ReadonlyMap<string, StoredSegments>) {
  return [...segments]
    .map(([id, { version: at, deleted, vector, segmentHashes }]) => {
      return { id, at, deleted, vector: [...vector], hashes: [...segmentHashes] };
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

test("rows, outcomes, chunks and dead letters are those of Postgres", async () => {
  const { simulated, ask, layout } = openTwin();
  const dataDir = await mkdtemp(join(tmpdir(), "medley-twin-"));
  const embedded = await openEmbeddedPostgres({ dataDir, port: 0 });
  const pool = openPool({ connectionString: embedded.connectionString });
  try {
    await migrate(pool, [layout]);
    const real = await openPostgresStore({ pool, collections: [layout] });
    await real.createRun({
      runId: "run",
      collection: name,
      source: "twin",
      fingerprint: "",
      baseVersion: 0n,
      chunksSent: 0,
      recordsRead: 0,
      position: null,
      state: "running",
      startedAtMs: 0,
    });
    const chance = new Chance(1);
    for (let at = 0; at < statements; at += 1) {
      const envelopes = envelopesOf(chance);
      const settled = { indexed: 0, tombstoned: 0, superseded: 1, deadLetters: 2 };
      const chunk = chance.happens(0.3) ? { runId: "run", chunk: chance.below(20), settled } : null;
      const write = (store: Store) => store.writeRows(name, envelopes, chunk);
      expect(await ask(write)).toEqual(await write(real));
      const read = async (store: Store) => plain(await store.readSegments(name, ids));
      expect(await ask(read)).toEqual(await read(real));
      const letters = lettersOf(chance);
      if (chance.happens(0.2)) {
        await ask((store) => store.addDeadLetters(letters));
        await real.addDeadLetters(letters);
      }
    }
    const { chunksDone, ...counts } = await real.readRunProgress("run");
    expect(simulated.chunks.size).toBe(chunksDone);
    const sums = { indexed: 0, tombstoned: 0, superseded: 0, deadLetters: 0 };
    for (const one of simulated.chunks.values()) {
      for (const outcome of Object.keys(sums) as (keyof typeof sums)[]) sums[outcome] += one[outcome];
    }
    expect(sums).toEqual(counts);
    const stored = await real.listDeadLetters({ limit: 100 });
    expect(stored.length).toBe(simulated.letters.size);
  } finally {
    await pool.end();
    await embedded.close();
    await rm(dataDir, { recursive: true });
  }
});
