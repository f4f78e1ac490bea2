import { MedleyError, suggestion } from "@medley/core";
import {
  buildIndex,
  type CollectionStatus,
  dropIndex,
  type IndexBuild,
  type IndexBuildOptions,
  openPool,
  readAllCollections,
} from "@medley/store";
import { openDatabase } from "../deployment/database.ts";
import { type Context, logFault, settingsOf } from "./context.ts";
import type { Outcome } from "./output.ts";
import { count, duration, Progress } from "./progress.ts";

export interface IndexArguments {
  /** Default: every collection that lacks its indexes. */
  readonly collection: string | undefined;
  readonly drop?: boolean;
  readonly rebuild?: boolean;
  readonly exclusive?: boolean;
  readonly fusedOnly?: boolean;
  readonly memory?: number;
  readonly workers?: number;
}

/** `medley index`: builds, rebuilds or drops the indexes of a collection's vectors, as the role that owns the table. */
export async function indexCommand(context: Context, given: IndexArguments): Promise<Outcome> {
  await using resources = new AsyncDisposableStack();
  const { connectionString, collections: all } = await openDatabaseHere(context, resources);
  const collections = chosen(all, given);
  if (given.drop) {
    for (const { collection } of collections) await dropIndex(connectionString, collection);
    const names = collections.map(({ collection }) => collection);
    return {
      exitCode: 0,
      data: { dropped: names },
      text: names.map((name) => `${name}: dropped`).join("\n"),
    };
  }
  const built: BuiltIndex[] = [];
  for (const { collection } of collections) {
    built.push(
      await buildWithProgress(connectionString, collection, { ...optionsOf(given), signal: context.signal }),
    );
    if (context.signal.aborted) break;
  }
  const text = built.length === 0 ? "no collection lacks its indexes" : built.map(described).join("\n");
  return { exitCode: context.signal.aborted ? 130 : 0, data: { indexes: built }, text };
}

/** The database of this data folder, or the one configured, and what it holds; open until the resources are disposed. */
export async function openDatabaseHere(
  context: Context,
  resources: AsyncDisposableStack,
): Promise<{ readonly connectionString: string; readonly collections: readonly CollectionStatus[] }> {
  const database = await openDatabase({
    settings: { ...settingsOf(context), postgresPort: 0 },
    mayAttach: true,
    onEngineFault: ({ reason }) => logFault({ part: "engine", message: reason }),
  });
  resources.defer(() => database.close());
  const { connectionString } = database;
  const pool = openPool({ connectionString, connectionsMax: 1, applicationName: "medley index" });
  resources.adopt(pool, (open) => open.end());
  return { connectionString, collections: await readAllCollections(pool) };
}

function chosen(
  all: readonly CollectionStatus[],
  { collection: named, drop, rebuild }: IndexArguments,
): readonly CollectionStatus[] {
  if (named === undefined) {
    if (drop || rebuild) {
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
