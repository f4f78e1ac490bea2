import { MedleyError, suggestion } from "@medley/core";
import {
  buildIndex,
  type CollectionStatus,
  dropIndex,
  type IndexBuild,
  type IndexBuildOptions,
  openPool,
  readAllCollections,
  shortenedWanted,
  writeFilterFields,
} from "@medley/store";
import type { DimensionSplit } from "@medley/training";
import { figure } from "../assign/sentences.ts";
import { openDatabase } from "../deployment/database.ts";
import { setGraphDimensions } from "../indexing/graph-dimensions.ts";
import { type Context, logFault, settingsOf } from "./context.ts";
import { type Outcome, table } from "./output.ts";
import { count, duration, Progress } from "./progress.ts";

export interface IndexArguments {
  /** Default: every collection that lacks its indexes. */
  readonly collection: string | undefined;
  readonly drop?: boolean;
  readonly rebuild?: boolean;
  readonly exclusive?: boolean;
  readonly fusedOnly?: boolean;
  /** Of the graphs. Default: as before. */
  readonly dimensions?: number | "all";
  /** Fields that filters read. Default: as before. */
  readonly filters?: readonly string[];
  readonly memory?: number;
  readonly workers?: number;
}

/** `medley index`: builds, rebuilds or drops the indexes of a collection's vectors, as the role that owns the table. */
export async function indexCommand(context: Context, given: IndexArguments): Promise<Outcome> {
  await using resources = new AsyncDisposableStack();
  const database = await openDatabaseHere(context, resources);
  const { connectionString } = database;
  const collections = chosen(database.collections, given);
  if (given.drop) {
    for (const { collection } of collections) await dropIndex(connectionString, collection);
    const names = collections.map(({ collection }) => collection);
    return {
      exitCode: 0,
      data: { dropped: names },
      text: names.map((name) => `${name}: dropped`).join("\n"),
    };
  }
  if (given.filters !== undefined)
    await writeFilterFields(connectionString, given.collection as string, given.filters);
  const graphs = await dimensionsOfGraphs(context, database, given);
  const built: BuiltIndex[] = [];
  for (const { collection } of collections) {
    if (context.signal.aborted) break;
    built.push(
      await buildWithProgress(connectionString, collection, { ...optionsOf(given), signal: context.signal }),
    );
  }
  const isDone = built.length === 0 && !context.signal.aborted;
  const lines = [...graphs.lines, ...(isDone ? ["no collection lacks its indexes"] : built.map(described))];
  return {
    exitCode: context.signal.aborted ? 130 : 0,
    data: { indexes: built, ...(graphs.split === null ? {} : { dimensions: graphs.split }) },
    text: lines.join("\n"),
  };
}

async function dimensionsOfGraphs(
  { signal }: Context,
  { pool, connectionString }: DatabaseHere,
  { collection, dimensions }: IndexArguments,
): Promise<{ readonly split: DimensionSplit | null; readonly lines: readonly string[] }> {
  if (dimensions === undefined) return { split: null, lines: [] };
  const bar = new Progress(`${collection} dimensions`, { unit: "dimensions" });
  try {
    const set = await setGraphDimensions({
      ...{ pool, connectionString, signal },
      dimensions: dimensions === "all" ? null : dimensions,
      of: { collection: collection as string },
      onProgress: ({ done, total }) => bar.update({ done, total }),
    });
    const split = set.state === "fitted" ? set.split : null;
    return { split, lines: split === null ? [] : [splitText(split)] };
  } finally {
    bar.stop();
  }
}

/** What the graphs of each space will be over, and what they find. */
function splitText({ from, to, spaces, loss, queries }: DimensionSplit): string {
  const found = 1 - loss.test.mean;
  const shares = spaces.map((share) => [share.space, share.from, share.to, share.by ?? "-"]);
  return (
    `${table(["space", "dimensions", "of its graphs", "along"], shares)}\n\ngraphs over ${to} of ${from} dimensions: among their first ` +
    `${shortenedWanted} are ${figure(found)} (${figure(1 - loss.test.high)} to ${figure(1 - loss.test.low)}) of the ten best, by ${queries} ` +
    "queries that took no part in the choice; all dimensions choose of them\n"
  );
}

export interface DatabaseHere {
  readonly connectionString: string;
  readonly pool: ReturnType<typeof openPool>;
  readonly collections: readonly CollectionStatus[];
}

/** The database of this data folder, or the one configured, and what it holds; open until the resources are disposed. */
export async function openDatabaseHere(
  context: Context,
  resources: AsyncDisposableStack,
): Promise<DatabaseHere> {
  const database = await openDatabase({
    settings: { ...settingsOf(context), postgresPort: 0 },
    mayAttach: true,
    onEngineFault: ({ reason }) => logFault({ part: "engine", message: reason }),
  });
  resources.defer(() => database.close());
  const { connectionString } = database;
  const pool = openPool({ connectionString, connectionsMax: 1, applicationName: "medley index" });
  resources.adopt(pool, (open) => open.end());
  return { connectionString, pool, collections: await readAllCollections(pool) };
}

function chosen(
  all: readonly CollectionStatus[],
  { collection: named, drop, rebuild, dimensions, filters }: IndexArguments,
): readonly CollectionStatus[] {
  const sets = dimensions !== undefined || filters !== undefined;
  if (drop && sets) {
    throw new MedleyError("usage", "what is dropped has neither dimensions nor filters", {
      mend: "first --drop, then --dimensions or --filters",
    });
  }
  if (named === undefined) {
    if (drop || rebuild || sets) {
      throw new MedleyError("usage", "which collection's index?", {
        mend: `name one of ${all.map((one) => one.collection).join(", ")}`,
      });
    }
    return all.filter(({ index }) => index === "missing" || index === "broken");
  }
  return namedCollection(all, named);
}

/** Throws `collection_unknown` with what may have been meant. */
export function namedCollection(
  all: readonly CollectionStatus[],
  named: string,
): readonly CollectionStatus[] {
  const found = all.filter((one) => one.collection === named);
  if (found.length > 0) return found;
  throw new MedleyError("collection_unknown", `the database has no collection "${named}"`, {
    mend: suggestion(
      named,
      all.map((one) => one.collection),
    ),
  });
}

function optionsOf({ rebuild, exclusive, fusedOnly, memory, workers }: IndexArguments): IndexBuildOptions {
  return {
    rebuild: rebuild ?? false,
    exclusive: exclusive ?? false,
    fusedOnly: fusedOnly ?? false,
    ...(memory === undefined ? {} : { memoryMegabytes: memory }),
    ...(workers === undefined ? {} : { workersMax: workers }),
  };
}

export interface BuiltIndex extends IndexBuild {
  readonly collection: string;
  readonly seconds: number;
}

/** With a bar on stderr. */
export async function buildWithProgress(
  connectionString: string,
  collection: string,
  options: IndexBuildOptions,
): Promise<BuiltIndex> {
  const startedMs = performance.now();
  const bar = new Progress(`${collection} indexes`, { unit: "rows" });
  try {
    const build = await buildIndex(connectionString, collection, {
      ...options,
      onProgress: ({ phase, rowsDone, rowsTotal }) =>
        bar.update({ done: rowsDone, total: rowsTotal, phase: phase.replace("building index: ", "") }),
      onWarning: (warning) => process.stderr.write(`warning: ${warning}\n`),
    });
    return { ...build, collection, seconds: (performance.now() - startedMs) / 1000 };
  } finally {
    bar.stop();
  }
}

export function described({ collection, state, rows, seconds }: BuiltIndex): string {
  if (state === "kept") return `${collection}: the indexes are there (--rebuild makes them anew)`;
  if (state === "cancelled") return `${collection}: cancelled; what was half built is dropped`;
  const rate = count(Math.round(rows / seconds));
  return `${collection}: indexes over ${count(rows)} rows in ${duration(seconds)} (${rate} rows/s)`;
}
