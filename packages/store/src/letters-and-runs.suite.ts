import type { BackfillRun, DeadLetter } from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "./postgres-store.ts";
import { filmsLayout, openStore, type TestDatabase, upsert } from "./test-database.fixture.ts";

const letter: DeadLetter = {
  collection: "films",
  recordId: "jaws",
  version: 7n,
  stage: "embed",
  code: "encoder_failed",
  reason: "no such category",
  payload: Uint8Array.of(0, 255, 123, 34),
  source: "films.csv:17",
  runId: null,
  attempt: 3,
  trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
};

const run: BackfillRun = {
  runId: "run-1",
  collection: "films",
  source: "films.csv",
  fingerprint: "12:34:ab",
  baseVersion: 2n ** 60n,
  chunksSent: 0,
  recordsRead: 0,
  position: null,
  state: "running",
  startedAtMs: Date.UTC(2026, 0, 1, 0, 0, 0, 123),
};

const noOutcomes = { indexed: 0, tombstoned: 0, superseded: 0, deadLetters: 0 };

/** Dead letters and backfill runs. */
export function describeLettersAndRuns(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await open();
    store = await openStore(database, filmsLayout("films"));
  });
  afterAll(() => database.close());

  test("a letter comes back whole, once however often it is added, and says when it was replayed", async () => {
    await store.addDeadLetters([letter]);
    await store.addDeadLetters([letter, letter]);
    const [stored, ...others] = await store.listDeadLetters({ where: { collection: "films" }, limit: 10 });
    expect(others).toEqual([]);
    const { payload, deadLetterId, createdAtMs, replayedAtMs, failures, ...rest } = stored as NonNullable<
      typeof stored
    >;
    expect({ ...rest, payload: new Uint8Array(payload) }).toEqual(letter);
    expect(failures).toBe(2); // Twice in one statement counts once.
    expect(Number.isInteger(deadLetterId) && createdAtMs > 0 && replayedAtMs === null).toBe(true);
    expect(await store.readDeadLetter(deadLetterId)).toEqual(stored);
    await store.markReplayed([{ deadLetterId, failures }]);
    const replayed = await store.readDeadLetter(deadLetterId);
    expect(replayed?.replayedAtMs).toBeGreaterThan(0);
    await store.markReplayed([{ deadLetterId, failures }]);
    expect(await store.readDeadLetter(deadLetterId)).toEqual(replayed);
    expect(await store.readDeadLetter(deadLetterId + 1_000)).toBeNull();
  });

  test("a letter that comes again after its replay is open again, and can't be hidden by the sender's late word", async () => {
    const again = { ...letter, collection: "again" };
    const read = async () => (await store.listDeadLetters({ where: { collection: "again" }, limit: 2 }))[0];
    await store.addDeadLetters([again]);
    const first = (await read()) as NonNullable<Awaited<ReturnType<typeof read>>>;
    await store.markReplayed([first]);
    await store.addDeadLetters([{ ...again, reason: "still wrong" }]);
    expect(await read()).toMatchObject({ failures: 2, replayedAtMs: null, reason: "still wrong" });
    await store.markReplayed([first]);
    expect(await read()).toMatchObject({ replayedAtMs: null });
  });

  test("a letter about a text that Postgres can't hold is kept all the same", async () => {
    const zero = {
      ...letter,
      collection: "zero",
      recordId: "a\0b",
      reason: "zero \0 byte, lone \ud800",
      source: "\0",
    };
    await store.addDeadLetters([zero]);
    const [stored] = await store.listDeadLetters({ where: { collection: "zero" }, limit: 1 });
    expect(stored).toMatchObject({ recordId: "a\ufffdb", reason: "zero \ufffd byte, lone \ufffd" });
  });

  test("more letters than one statement takes", async () => {
    const many = Array.from({ length: 1_100 }, (_, n) => ({
      ...letter,
      collection: "many",
      source: `many:${n}`,
    }));
    await store.addDeadLetters(many);
    expect(await store.listDeadLetters({ where: { collection: "many" }, limit: 2_000 })).toHaveLength(1_100);
  });

  test("a run: created once, advanced but never back, finished", async () => {
    await store.createRun(run);
    await store.createRun({ ...run, source: "other.csv" });
    expect(await store.readRun("run-1")).toEqual(run);
    const position = { after: null, through: '["500"]' };
    await store.advanceRun("run-1", { chunksSent: 5, recordsRead: 500, position });
    await store.advanceRun("run-1", { chunksSent: 4, recordsRead: 400, position: null });
    expect(await store.readRun("run-1")).toEqual({ ...run, chunksSent: 5, recordsRead: 500, position });
    expect(await store.readRunProgress("run-1")).toMatchObject({ chunksDone: 0, indexed: 0, deadLetters: 0 });
    await store.sealRun("run-1");
    expect(await store.readRun("run-1")).toMatchObject({ state: "sent" });
    expect(await store.readRun("run-0")).toBeNull();
  });

  const chunkOf = (runId: string, chunk: number) => ({ runId, chunk, settled: noOutcomes });
  const stateOf = async (runId: string) => (await store.readRun(runId))?.state;

  test("a sealed run is done with the last of its chunks, however often each is written", async () => {
    await store.createRun({ ...run, runId: "sealed" });
    await store.advanceRun("sealed", { chunksSent: 3, recordsRead: 300, position: null });
    await store.writeRows("films", [], chunkOf("sealed", 2));
    await store.sealRun("sealed");
    for (const chunk of [2, 0, 0]) {
      await store.writeRows("films", [upsert("a", 1, {}, [1, 0, 0, 0, 1])], chunkOf("sealed", chunk));
      expect(await stateOf("sealed")).toBe("sent");
    }
    await store.writeRows("films", [], chunkOf("sealed", 1));
    expect(await stateOf("sealed")).toBe("done");
  });

  test("all chunks before the seal: done with it; a run without records as well", async () => {
    await store.createRun({ ...run, runId: "early" });
    await store.advanceRun("early", { chunksSent: 1, recordsRead: 100, position: null });
    await store.writeRows("films", [], chunkOf("early", 0));
    expect(await stateOf("early")).toBe("running");
    await store.sealRun("early");
    await store.createRun({ ...run, runId: "empty" });
    await store.sealRun("empty");
    expect([await stateOf("early"), await stateOf("empty")]).toEqual(["done", "done"]);
  });

  test("chunks and the seal at once: the run is done whoever is last", async () => {
    for (let n = 0; n < 40; n++) {
      const runId = `at-once-${n}`;
      await store.createRun({ ...run, runId });
      await store.advanceRun(runId, { chunksSent: 3, recordsRead: 300, position: null });
      await Promise.all([
        store.sealRun(runId),
        ...[0, 1, 2].map((chunk) => store.writeRows("films", [], chunkOf(runId, chunk))),
      ]);
      expect(await stateOf(runId)).toBe("done");
    }
  });

  test("runs are listed newest first, at most 20", async () => {
    for (let n = 0; n < 25; n++) {
      await store.createRun({ ...run, runId: `listed-${n}`, startedAtMs: run.startedAtMs + (n + 1) * 1_000 });
    }
    const listed = (await store.readFigures()).runs;
    expect(listed.map(({ runId }) => runId)).toEqual(
      Array.from({ length: 20 }, (_, n) => `listed-${24 - n}`),
    );
  });
}
