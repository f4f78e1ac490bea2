import type { BackfillRun, DeadLetter } from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "./postgres-store.ts";
import { filmsLayout, openStore, type TestDatabase, upsert } from "./test-database.fixture.ts";

const letter: DeadLetter = {
  ...{ collection: "films", recordId: "jaws", version: 7n, stage: "embed", code: "encoder_failed" },
  ...{ reason: "no such category", payload: Uint8Array.of(1), source: "films.csv:17", runId: null },
  ...{ attempt: 1, trace: null },
};

function runOf(n: number, rest: Partial<BackfillRun> = {}): BackfillRun {
  return {
    ...{ runId: `run-${n}`, collection: "films", source: "films.csv", fingerprint: "f", baseVersion: 1n },
    ...{ chunksSent: 2, recordsRead: 200, position: null, state: "running", startedAtMs: 1_000 * n },
    ...rest,
  };
}

/** What an operator watches. */
export function describeFigures(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await open();
    store = await openStore(database, filmsLayout("films"), filmsLayout("empty"));
  });
  afterAll(() => database.close());

  test("open dead letters by collection and code; what is replayed is not", async () => {
    await store.addDeadLetters([
      letter,
      { ...letter, recordId: "alien" },
      { ...letter, code: "record_invalid", stage: "index", source: "http:0" },
    ]);
    expect((await store.readFigures()).deadLettersOpen).toEqual([
      { collection: "films", code: "encoder_failed", deadLetters: 2 },
      { collection: "films", code: "record_invalid", deadLetters: 1 },
    ]);
    const [first] = await store.listDeadLetters({ limit: 10, where: { code: "record_invalid" } });
    await store.markReplayed([first as NonNullable<typeof first>]);
    expect((await store.readFigures()).deadLettersOpen).toMatchObject([{ code: "encoder_failed" }]);
  });

  test("runs with their progress; what unfinished ones have read and not settled is the backfill's lag", async () => {
    await store.createRun(runOf(1, { state: "done" }));
    await store.createRun(runOf(2));
    await store.createRun(runOf(3, { recordsRead: 50 }));
    const settled = { indexed: 0, tombstoned: 1, superseded: 2, deadLetters: 3 };
    const envelopes = [upsert("a", 1, {}, [1, 0, 0, 0, 1])];
    await store.writeRows("films", envelopes, { runId: "run-2", chunk: 0, settled });
    const { runs, backfills, collections } = await store.readFigures();
    expect(runs.map(({ runId, state }) => [runId, state])).toEqual([
      ["run-3", "running"],
      ["run-2", "running"],
      ["run-1", "done"],
    ]);
    const progress = { chunksDone: 1, indexed: 1, tombstoned: 1, superseded: 2, deadLetters: 3 };
    expect(runs[1]).toMatchObject({ recordsRead: 200, startedAtMs: 2_000, source: "films.csv", ...progress });
    expect(backfills).toEqual([{ collection: "films", recordsUnsettled: 193 + 50 }]);
    expect(collections.map(({ collection }) => collection)).toEqual(["empty", "films"]);
  });

  test("many runs: twenty at most, and an unfinished one is among them however old it is", async () => {
    for (let n = 10; n < 40; n += 1) await store.createRun(runOf(n, { state: "done", collection: "empty" }));
    const { runs } = await store.readFigures();
    expect(runs.length).toBe(20);
    expect(runs.map(({ runId }) => runId)).toEqual(expect.arrayContaining(["run-2", "run-3", "run-39"]));
  });
}
