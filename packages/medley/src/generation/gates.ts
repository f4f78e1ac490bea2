import { setTimeout as sleep } from "node:timers/promises";
import type { GenerationOf } from "@medley/core";
import { readsSegments, sameSegment } from "@medley/pipeline";
import {
  differingSegments,
  missingRows,
  type Pair,
  readReaders,
  sampledIds,
  trySearches,
} from "@medley/store";
import type { GenerationChange } from "./generation-change.ts";

/** What a generation has to show before it may become live. */
export interface Gate {
  readonly name: "rows" | "segments" | "recall" | "latency" | "processes";
  readonly passed: boolean;
  /** Figures, for people. */
  readonly detail: string;
}

const sampledRowsMax = 200;
const searchesMax = 20;
const recallMin = 0.95;
// A table that was just written is cold, and a new space may make searches dearer: what is refused is a multiple.
const latencyFactorMax = 2;
const latencyMsMin = 20;
// Longer than one that ends without a word counts as there.
const processesWaitMsMax = 30_000;
const processesPollMs = 200;

/**
 * Every row is there, or waits to be; what was to be copied is the same bit for bit; searches find what is to be found, about as fast as in
 * the live generation; every process that searches or embeds can do so with the new encoders.
 */
export async function checkGates(
  change: GenerationChange,
  generation: number,
  { missingMax, signal }: { readonly missingMax: number; readonly signal: AbortSignal },
): Promise<readonly Gate[]> {
  const { pool, live } = change;
  const pair: Pair = { collection: live.collection, live: live.generation, next: generation };
  // First, since it may wait, and rows go on being written.
  const processes = await processesGate(change, { collection: live.collection, generation }, signal);
  const ids = await sampledIds(pool, pair, sampledRowsMax);
  return [
    await rowsGate(change, pair, missingMax),
    await segmentsGate(change, pair, ids),
    ...(await searchGates(change, pair, ids.slice(0, searchesMax))),
    processes,
  ];
}

async function rowsGate({ pool }: GenerationChange, pair: Pair, missingMax: number): Promise<Gate> {
  const missing = await missingRows(pool, pair);
  const detail =
    missing === 0
      ? "every row is there or waits to be carried"
      : `${missing} rows are missing: medley dead-letters list says why; --missing ${missing} does without them`;
  return { name: "rows", passed: missing <= missingMax, detail };
}

async function segmentsGate(
  { pool, configured, live }: GenerationChange,
  pair: Pair,
  ids: readonly string[],
): Promise<Gate> {
  const segments = configured.collection.spaces.flatMap((space, index) => {
    // What neighbours say is heard by each for itself: one may be a moment behind the other.
    if (readsSegments(space)) return [];
    const place = sameSegment(live, configured, { space, index });
    const to = configured.layout[index];
    const from = live.segments[place];
    if (from === undefined || to === undefined) return [];
    return [{ space: space.name, from: from.offset, to: to.offset, dimensions: to.dimensions }];
  });
  const differing = await differingSegments(pool, pair, { segments, ids });
  const wrong = Object.entries(differing).filter(([, rows]) => rows > 0);
  const detail =
    wrong.length === 0
      ? `of ${ids.length} rows, the segments of ${segments.length} unchanged spaces are the same bit for bit`
      : wrong.map(([space, rows]) => `${space}: ${rows} of ${ids.length} segments differ`).join(", ");
  return { name: "segments", passed: wrong.length === 0, detail };
}

async function searchGates(
  { pool }: GenerationChange,
  { collection, live, next }: Pair,
  ids: readonly string[],
): Promise<readonly Gate[]> {
  const before = await trySearches(pool, { collection, generation: live }, ids);
  const after = await trySearches(pool, { collection, generation: next }, ids);
  const isSlow = after.ms > latencyFactorMax * before.ms && after.ms > before.ms + latencyMsMin;
  return [
    {
      name: "recall",
      passed: after.recall >= recallMin,
      detail: `recall@10 ${after.recall.toFixed(3)} over ${ids.length} searches (live: ${before.recall.toFixed(3)})`,
    },
    {
      name: "latency",
      passed: !isSlow,
      detail: `median ${after.ms.toFixed(1)} ms (live: ${before.ms.toFixed(1)} ms)`,
    },
  ];
}

/** Those that have not opened the new encoders yet, or could not, have a while to do so. */
async function processesGate(
  { pool }: GenerationChange,
  of: GenerationOf,
  signal: AbortSignal,
): Promise<Gate> {
  const endsAtMs = performance.now() + processesWaitMsMax;
  for (;;) {
    const readers = await readReaders(pool, of);
    const [failed] = readers.filter(({ failure }) => failure !== null);
    const able = readers.filter(({ answered, failure }) => answered && failure === null);
    const passed = able.length === readers.length;
    if (passed || signal.aborted || performance.now() > endsAtMs) {
      const why = failed === undefined ? "the others have not opened its encoders yet" : failed.failure;
      const detail = passed
        ? `${readers.length} processes can search and embed with it`
        : `${able.length} of ${readers.length} processes can search and embed with it: ${why}`;
      return { name: "processes", passed, detail };
    }
    await sleep(processesPollMs);
  }
}
