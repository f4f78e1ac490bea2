import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError } from "@medley/core";
import {
  analyzeSearch,
  beginGeneration,
  buildIndex,
  type IndexProgress,
  isAnalysed,
  noteRows,
  readGenerations,
  readPathIndexes,
  readWaitingChanges,
  readWaitingRefreshes,
  rebuildProfiles,
  type StoredGeneration,
  switchGeneration,
  type Waiting,
} from "@medley/store";
import { generationEncoders } from "../deployment/generations.ts";
import type { StageFailure } from "../deployment/stages.ts";
import { followGraphDimensions } from "../indexing/graph-dimensions.ts";
import { checkGates, type Gate } from "./gates.ts";
import { type GenerationChange, needsGeneration } from "./generation-change.ts";
import { OwnCarriers } from "./own-carriers.ts";
import { untilDone } from "./until-done.ts";

export interface ApplyOptions {
  /** Rows that may be missing: see the gate `rows`. Default 0. */
  readonly missingMax?: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ApplyProgress) => void;
  readonly onFault?: (failure: StageFailure) => void;
}

export interface ApplyProgress {
  readonly phase: "rows" | "neighbours" | "index" | "analysis" | "switch";
  readonly done: number;
  readonly total: number | null;
  readonly detail?: string;
}

export type Applied =
  | { readonly state: "unchanged" }
  /** A gate did not let it pass: the generation goes on following, and the same command tries again. */
  | { readonly state: "held"; readonly generation: number; readonly gates: readonly Gate[] }
  | {
      readonly state: "live";
      readonly generation: number;
      readonly before: number;
      readonly gates: readonly Gate[];
      /** How long the switch itself took, with the wait for the last rows. */
      readonly switchMs: number;
    }
  /** Interrupted: the same command goes on. */
  | { readonly state: "interrupted"; readonly generation: number | null };

const pollMs = 200;
const switchMsMax = 60_000;
/** Writers wait so long at most, each time. */
export const drainMsMax = 2_000;

/**
 * Brings a collection's rows to its configuration, beside the rows that serve meanwhile. States, kept in the database: begun (the table is
 * there, and followed) -> noted (all rows wait to be carried) -> carried (none waits but what was just written, and has heard of its
 * neighbours in a graph) -> indexed, analysed -> gates passed -> live. Killed at any point, the same call goes on from there.
 */
export async function applyGeneration(change: GenerationChange, options: ApplyOptions): Promise<Applied> {
  if (!needsGeneration(change)) return { state: "unchanged" };
  const { signal, onProgress = () => {} } = options;
  const { pool, configured, stored, config } = change;
  const { name } = configured.collection;
  const encoders = generationEncoders(configured.collection, config.lock);
  const generation = await beginGeneration(pool, configured, { stored, encoders });
  const of = { collection: name, generation };
  while (!signal.aborted && (await noteRows(pool, of)) > 0);
  await using resources = new AsyncDisposableStack();
  const carriers = new OwnCarriers(change, { generation, resources, onFault: options.onFault ?? (() => {}) });
  const carrying = { ...options, carriers };
  if (!(await carried(change, generation, carrying))) return { state: "interrupted", generation };
  await buildIndexes(change, generation, options);
  await analyse(change, generation, options);
  if (!(await carried(change, generation, carrying)) || signal.aborted)
    return { state: "interrupted", generation };
  const gates = await checkGates(change, generation, { missingMax: options.missingMax ?? 0, signal });
  if (gates.some(({ passed }) => !passed)) return { state: "held", generation, gates };
  onProgress({ phase: "switch", done: 0, total: null });
  const switchMs = await makeLive(change, generation, carrying);
  if (switchMs === null) return { state: "interrupted", generation };
  if (configured.collection.profiles !== null)
    await rebuildProfiles(pool, name, { signal, onProgress: () => {} });
  return { state: "live", generation, before: stored.generation, gates, switchMs };
}

interface Carrying extends ApplyOptions {
  readonly carriers: OwnCarriers;
}

/** Resolves when carriers keep up with what is written; to false when interrupted. */
async function carried(
  { pool, live }: GenerationChange,
  generation: number,
  carrying: Carrying,
): Promise<boolean> {
  const of = { collection: live.collection, generation };
  const rows = (since: Waiting["newest"]) => readWaitingChanges(pool, of, since);
  const neighbours = (since: Waiting["newest"]) => readWaitingRefreshes(pool, of, since);
  return (await caughtUp("rows", rows, carrying)) && (await caughtUp("neighbours", neighbours, carrying));
}

/** Resolves when nothing waits that has waited for longer than a switch would let writers wait; to false when interrupted. */
async function caughtUp(
  phase: "rows" | "neighbours",
  read: (since: Waiting["newest"]) => Promise<Waiting>,
  { signal, onProgress = () => {}, carriers }: Carrying,
): Promise<boolean> {
  let total = 0;
  let since: Waiting["newest"] = null;
  let sinceMs = performance.now();
  for (;;) {
    const { left, older, newest } = await read(since);
    total = Math.max(total, left);
    if (total > 0) onProgress({ phase, done: total - left, total });
    const isLate = performance.now() - sinceMs > drainMsMax;
    if (left === 0 || (since !== null && older === 0 && !isLate)) return true;
    if (since === null || isLate) [since, sinceMs] = [newest, performance.now()];
    if (signal.aborted) return false;
    await carriers.startWhereNobodyCarries();
    await sleep(pollMs);
  }
}

/** Those that the live generation has, over as many dimensions. */
async function buildIndexes(
  { pool, live, connectionString }: GenerationChange,
  generation: number,
  { signal, onProgress = () => {} }: ApplyOptions,
): Promise<void> {
  const indexes = await readPathIndexes(pool, live.collection, live.generation);
  const built = indexes.filter(({ valid }) => valid === true);
  if (built.length === 0) return;
  await followGraphDimensions({
    ...{ pool, connectionString, signal },
    of: { collection: live.collection, generation },
    onProgress: ({ done, total }) => onProgress({ phase: "index", done, total, detail: "dimensions" }),
  });
  await buildIndex(connectionString, live.collection, {
    ...{
      generation,
      signal,
      fusedOnly: built.every(({ space, forFilters }) => space === null || forFilters),
    },
    onProgress: ({ phase, rowsDone, rowsTotal }: IndexProgress) =>
      onProgress({ phase: "index", done: rowsDone, total: rowsTotal, detail: phase }),
  });
}

/** Where the live generation is analysed: searches of the next are to be as fast from the first on. */
async function analyse(
  { pool, live, connectionString }: GenerationChange,
  generation: number,
  { signal, onProgress = () => {} }: ApplyOptions,
): Promise<void> {
  if (!(await isAnalysed(pool, live.collection))) return;
  await analyzeSearch(connectionString, live.collection, {
    ...{ generation, signal },
    onProgress: ({ done, total }) => onProgress({ phase: "analysis", done, total }),
  });
}

/** Milliseconds that it took; null: interrupted. Throws `store_unavailable` where searches never let the view go, or rows never ended. */
async function makeLive(
  { pool, live, embedded }: GenerationChange,
  generation: number,
  { signal, carriers }: Carrying,
): Promise<number | null> {
  // The embedded engine has one session: a transaction that waits would keep the carriers out.
  const options = { drainMsMax: embedded ? 0 : drainMsMax };
  let startedMs = 0;
  const attempt = async () => {
    await carriers.startWhereNobodyCarries();
    startedMs = performance.now();
    return switchGeneration(pool, { collection: live.collection, generation }, options);
  };
  const failure = {
    what: `generation ${generation} of "${live.collection}" could not be made live`,
    mend: "searches hold the view for long, or more is written than is carried: try again when there is less to do",
  };
  const isLive = await untilDone(attempt, { msMax: switchMsMax, failure, signal });
  return isLive ? performance.now() - startedMs : null;
}

/** Of a collection that has two. Throws `usage`. */
export async function otherGeneration(
  { pool, live }: Pick<GenerationChange, "pool" | "live">,
  state: "kept" | "building" | null,
): Promise<StoredGeneration> {
  const generations = await readGenerations(pool);
  const other = generations.find(
    (one) =>
      one.collection === live.collection && one.state !== "live" && (state === null || one.state === state),
  );
  if (other !== undefined) return other;
  const which =
    state === "kept" ? " that was live before" : state === "building" ? " that is being built" : " but one";
  throw new MedleyError("usage", `collection "${live.collection}" has no generation${which}`, {
    mend: "medley plan says what there is",
  });
}
