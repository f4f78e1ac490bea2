import { setTimeout as sleep } from "node:timers/promises";
import type { Lane } from "@medley/core";
import type { Outcomes } from "./evidence/checker.ts";
import { verdictNow, verdictOnceDrained } from "./evidence/gather.ts";
import { runFaults } from "./faults/fault-schedule.ts";
import { Pace } from "./pace.ts";
import { Backfills } from "./workload/backfills.ts";
import { batchesOf, type Operation, operationsOf } from "./workload/operations.ts";
import { SeededRandom } from "./workload/seeded-random.ts";
import { StreamSender } from "./workload/stream-sender.ts";
import { type LaneChoice, openWorld, type World } from "./world.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly lanes: LaneChoice;
  readonly operations: number;
  readonly keys: number;
  readonly faults: number;
  readonly keepsFolder?: boolean;
  /** What happens, for whoever watches. */
  readonly onEvent?: (text: string) => void;
}

export const fullSize = { operations: 20_000, keys: 2_000, faults: 60 };
export const quickSize = { operations: 4_000, keys: 400, faults: 20 };

export interface ChaosResult {
  readonly seed: number;
  readonly lanes: LaneChoice;
  readonly operations: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** From the end of the last fault until everything accepted had its outcome. */
  readonly drainedSeconds: number;
  readonly outcomes: Outcomes;
  /** Answers of producers by status. */
  readonly answers: Readonly<Record<string, number>>;
  readonly backfills: { readonly runs: number; readonly resumes: number };
  /** Times a service ended by itself, by name. */
  readonly endings: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  readonly folder: string;
}

export const drainSecondsMax = 60;
// Longer than the lease of a packet in a queue, and than the session of a log's consumer.
const freezeMs = 12_000;
const streamBatch = { min: 1, max: 60 };
const streamSenders = 4;
/** An impatient client, or a producer's caution after an outage would be most of the run. */
const retryAfterMsMax = 1_000;
const backfillFile = { min: 300, max: 900 };
/** What a quiet system must not do: write more. */
const quietMs = 2_000;

/** One seed: the workload and the faults side by side, then the drain, then the verdict. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const startedAtMs = performance.now();
  const random = new SeededRandom(options.seed);
  const operations = operationsOf(random.fork(), options);
  await using world = await openWorld(options);
  await startFleet(world);
  using stop = new DisposableStack();
  const abort = stop.adopt(new AbortController(), (controller) => controller.abort());
  const { signal } = abort;
  const pace = new Pace({ operations: operations.length, faults: options.faults });
  const backfills = new Backfills({ ...world, signal });
  const urls = () => world.fleet.of("producer").map(({ url }) => url);
  const sender = new StreamSender({ ...world, urls, random: random.fork(), signal, retryAfterMsMax });
  const counts: Record<string, number> = {};
  const load = runWorkload({ operations, random: random.fork(), sender, backfills, pace });
  const faults = runFaults({ ...world, backfills, freezeMs }, random.fork(), {
    count: options.faults,
    pace,
    signal,
    onFault: ({ kind, atMs }) => {
      counts[kind] = (counts[kind] ?? 0) + 1;
      options.onEvent?.(`${(atMs / 1_000).toFixed(1)} s ${kind}`);
    },
  });
  await Promise.all([faults, Promise.race([load, faults])]);
  const lastFaultAtMs = performance.now();
  options.onEvent?.("faults are over");
  const late = sleep(drainSecondsMax * 1_000, "late" as const, { ref: false });
  const unsent = (await Promise.race([load, late])) === "late" ? ["P6: senders still wait for answers"] : [];
  const witnesses = { ...world, runs: backfills.runs };
  const leftMs = drainSecondsMax * 1_000 - (performance.now() - lastFaultAtMs);
  await verdictOnceDrained(witnesses, Math.max(leftMs, 0));
  const drainedSeconds = (performance.now() - lastFaultAtMs) / 1_000;
  await sleep(quietMs);
  const { outcomes, violations } = await verdictNow(witnesses);
  if (unsent.length + violations.length > 0) world.keepFolder();
  return {
    seed: options.seed,
    lanes: options.lanes,
    operations: operations.length,
    faults: counts,
    seconds: (performance.now() - startedAtMs) / 1_000,
    drainedSeconds,
    outcomes,
    answers: Object.fromEntries(sender.answers),
    backfills: { runs: backfills.runs.length, resumes: backfills.resumes },
    endings: Object.fromEntries(world.fleet.members.map(({ name, endings }) => [name, endings])),
    violations: [...unsent, ...violations],
    folder: world.folder,
  };
}

export async function startFleet({ fleet }: World): Promise<void> {
  const services = [
    "producer",
    "producer",
    "embedding-worker",
    "embedding-worker",
    "indexer",
    "indexer",
  ] as const;
  for (const service of services) await fleet.add(service);
  await Promise.all(fleet.members.map((member) => member.ready()));
}

interface Workload {
  readonly operations: readonly Operation[];
  readonly random: SeededRandom;
  readonly sender: StreamSender;
  readonly backfills: Backfills;
  readonly pace: Pace;
}

async function runWorkload({ operations, random, sender, backfills, pace }: Workload): Promise<void> {
  const of = (lane: Lane) => operations.filter((operation) => operation.lane === lane);
  const batches = batchesOf(of("stream"), random, streamBatch);
  const files = batchesOf(of("backfill"), random, backfillFile);
  const inStep = async (
    parts: readonly (readonly Operation[])[],
    hands: number,
    act: (part: readonly Operation[]) => Promise<unknown>,
  ) => {
    let next = 0;
    const hand = async () => {
      while (next < parts.length) {
        const at = next++;
        const part = parts[at] as readonly Operation[];
        await pace.workMayGoOn(at / parts.length);
        await act(part);
        pace.workDone(part.length);
      }
    };
    await Promise.all(Array.from({ length: hands }, hand));
  };
  await Promise.all([
    inStep(batches, streamSenders, (batch) => sender.send(batch)),
    inStep(files, 2, (file) => backfills.load(file)),
  ]);
}
