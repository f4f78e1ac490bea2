import {
  type Channel,
  type Collection,
  checkConfig,
  type DeadLetterPage,
  MedleyError,
  type RecordEnvelope,
  type StoredDeadLetter,
  VersionClock,
} from "@medley/core";
import { pipelineCounters } from "@medley/pipeline";
import { beforeEach, expect, test } from "vitest";
import { type ReplayOptions, replay } from "./replay.ts";

const prices = checkConfig({
  collections: {
    prices: {
      fields: { price: "number" },
      spaces: { price: { encoder: "number", field: "price", range: [0, 100] } },
    },
  },
})[0] as Collection;

const keptAtMs = Date.UTC(2026, 0, 1);
let letters: StoredDeadLetter[];
let sent: RecordEnvelope[];
let marked: number[];
let pages: number[];
let beforeSend: () => Promise<void>;
/** Packets that wait in the lane. */
let waiting: () => number;

beforeEach(() => {
  [letters, sent, marked, pages] = [[], [], [], []];
  beforeSend = async () => {};
  waiting = () => 0;
});

function add(part: Partial<StoredDeadLetter> = {}): void {
  const deadLetterId = letters.length + 1;
  const record = { id: `r${deadLetterId}`, _op: "upsert", price: deadLetterId % 100 };
  letters.push({
    deadLetterId,
    collection: "prices",
    recordId: record.id,
    version: BigInt(deadLetterId),
    stage: "embed",
    code: "encoder_failed",
    reason: "why",
    payload: Buffer.from(JSON.stringify(record)),
    source: `prices.csv:${deadLetterId}`,
    runId: null,
    attempt: 1,
    trace: null,
    failures: 1,
    createdAtMs: keptAtMs,
    replayedAtMs: null,
    ...part,
  });
}

function run(options: Partial<ReplayOptions> = {}) {
  const transport = {
    unit: "packets" as const,
    send: async (_channel: string, packet: { envelopes: readonly RecordEnvelope[] }) => {
      await beforeSend();
      sent.push(...packet.envelopes);
    },
    backlog: async (channel: Channel) => ({ waiting: channel === "records" ? waiting() : 0, inFlight: 0 }),
  };
  return replay({
    store: {
      listDeadLetters: async ({ after = 0, upTo = 0, limit }: DeadLetterPage) => {
        const page = letters.filter((letter) => letter.deadLetterId > after && letter.deadLetterId <= upTo);
        pages.push(Math.min(page.length, limit));
        return page.slice(0, limit);
      },
      markReplayed: async (page) => void marked.push(...page.map((letter) => letter.deadLetterId)),
    },
    produce: {
      collections: new Map([["prices", prices]]),
      lanes: { stream: transport, backfill: transport } as never,
      versions: new VersionClock({ nowMs: () => keptAtMs + 1 }),
      counters: pipelineCounters(),
      backlogPacketsMax: 1,
    },
    where: {},
    lastDeadLetterId: letters.length,
    lettersMax: letters.length,
    signal: new AbortController().signal,
    ...options,
  });
}

const ids = () => sent.map(({ id }) => id);

test("all are sent once, oldest first, a page at a time, and marked", async () => {
  for (let n = 0; n < 250; n += 1) add();
  const progress: number[] = [];
  const result = await run({ onProgress: (done) => progress.push(done) });
  expect(result).toEqual({ replayed: 250, refused: 0, refusals: [], interrupted: false });
  expect(ids()).toEqual(letters.map(({ recordId }) => recordId));
  expect(marked).toEqual(letters.map(({ deadLetterId }) => deadLetterId));
  expect(pages).toEqual([100, 100, 50]);
  expect(progress).toEqual([100, 200, 250]);
});

test("letters that come meanwhile, and those beyond the limit, are left", async () => {
  for (let n = 0; n < 30; n += 1) add();
  await run({ lastDeadLetterId: 20 });
  expect(ids()).toHaveLength(20);
  await run({ lettersMax: 7 });
  expect(ids().slice(20)).toEqual(["r1", "r2", "r3", "r4", "r5", "r6", "r7"]);
});

test("a letter keeps its version; one without gets that of its time, which is below all that come later", async () => {
  add();
  add({ version: null });
  await run();
  const [kept, given] = sent.map(({ version }) => version);
  expect(kept).toBe(1n);
  expect(given).toBeGreaterThan(new VersionClock({ nowMs: () => keptAtMs - 1 }).next());
  expect(given).toBeLessThan(new VersionClock({ nowMs: () => keptAtMs + 1 }).next());
});

test("what is refused again says why and is not marked; its neighbours are sent", async () => {
  add();
  add({ payload: Buffer.from("no JSON") });
  add({ payload: Buffer.from('{"id": "r3", "price": "much"}') });
  add({ collection: "gone" });
  add();
  const { refusals, replayed, refused } = await run();
  expect([replayed, refused]).toEqual([2, 3]);
  expect(refusals.map(({ deadLetterId }) => deadLetterId).sort()).toEqual([2, 3, 4]);
  expect(refusals.map(({ reason }) => reason).join()).toMatch(/no JSON.*"price".*"gone" is not configured/);
  expect([ids(), marked]).toEqual([
    ["r1", "r5"],
    [1, 5],
  ]);
});

test("a mended record takes the place of the letter's, with its version", async () => {
  add({ payload: Buffer.from("no JSON"), version: 5n });
  await run({ mended: '{"id": "mended", "price": 7}' });
  expect(sent).toMatchObject([{ id: "mended", version: 5n, fields: { price: 7 } }]);
});

test("a full lane is waited for, and nothing is dropped", async () => {
  for (let n = 0; n < 150; n += 1) add();
  let asked = 0;
  waiting = () => (asked++ % 2 === 0 ? 1 : 0);
  expect(await run()).toMatchObject({ replayed: 150, interrupted: false });
  expect(ids()).toHaveLength(150);
});

test("stopped while the lane is full or between pages: what was sent is what is marked", async () => {
  for (let n = 0; n < 150; n += 1) add();
  const full = new AbortController();
  waiting = () => {
    full.abort();
    return 1;
  };
  expect(await run({ signal: full.signal })).toMatchObject({ replayed: 0, interrupted: true });
  expect([sent, marked]).toEqual([[], []]);
  waiting = () => 0;
  const between = new AbortController();
  beforeSend = async () => between.abort();
  expect(await run({ signal: between.signal })).toMatchObject({ replayed: 100, interrupted: true });
  expect([ids().length, marked.length]).toEqual([100, 100]);
});

test("a lane that fails ends it: what was sent before is marked, what was not is not", async () => {
  for (let n = 0; n < 150; n += 1) add();
  beforeSend = async () => {
    if (sent.length > 0) throw new MedleyError("transport_unavailable", "away");
  };
  await expect(run()).rejects.toMatchObject({ code: "transport_unavailable" });
  expect([ids().length, marked.length]).toEqual([100, 100]);
});

test("at a rate pages are small and spread over the time", async () => {
  for (let n = 0; n < 40; n += 1) add();
  const startedAtMs = performance.now();
  await run({ recordsPerSecond: 40 });
  expect(pages).toEqual([20, 20]);
  expect(performance.now() - startedAtMs).toBeGreaterThan(950);
});
