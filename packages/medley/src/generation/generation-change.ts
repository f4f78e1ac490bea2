import { canonicalJson, type Generation, MedleyError, systemClock } from "@medley/core";
import { type ModelRuntime, openModelRuntime } from "@medley/models";
import { type CollectionEncoders, sameSegment } from "@medley/pipeline";
import {
  forgetReaders,
  type GenerationLock,
  lockEmbeddedGenerations,
  lockGenerations,
  openPool,
  readCatalogue,
  type StoredCollection,
  segmentsOf,
} from "@medley/store";
import type pg from "pg";
import { type Context, configOf, logFault, settingsOf } from "../cli/context.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import { type Database, openDatabase } from "../deployment/database.ts";
import { openEncoders } from "../deployment/open-encoders.ts";

/** A collection as it is configured and as the database has it. */
export interface GenerationChange {
  readonly configured: CollectionEncoders;
  readonly stored: StoredCollection;
  readonly live: Generation;
  readonly config: LoadedConfig;
  readonly pool: pg.Pool;
  readonly connectionString: string;
  readonly runtime: ModelRuntime;
  /** On the embedded engine, which has one session for all. */
  readonly embedded: boolean;
  /** Aborted where this process does not hold the collection's generations any more: nothing is to be changed then. */
  readonly lost: AbortSignal;
}

export interface OpenOptions {
  /** Whether records may have to be encoded. */
  readonly loads: boolean;
  /** Whether generations are to be changed, which one process at a time may, until its resources are closed. */
  readonly locks: boolean;
  readonly resources: AsyncDisposableStack;
}

/** What becomes of a space's segments. */
export interface SpaceChange {
  readonly space: string;
  readonly how: "copied" | "encoded" | "dropped";
  readonly dimensions: number;
  /** Whether encoding runs a model, which is what takes time. */
  readonly usesModel: boolean;
  /** Whether it asks an endpoint, which may cost money. */
  readonly isRemote: boolean;
}

/** Throws `collection_unknown`, `usage`, `apply_running` or what opening throws. */
export async function openChange(
  context: Context,
  named: string | undefined,
  { loads, locks, resources }: OpenOptions,
): Promise<GenerationChange> {
  const [config, settings] = [await configOf(context), settingsOf(context)];
  const { environment } = settings;
  const database = await openDatabase({
    settings: { ...settings, postgresPort: 0 },
    mayAttach: true,
    onEngineFault: ({ reason }) => logFault({ part: "engine", message: reason }),
  });
  await using opened = new AsyncDisposableStack();
  opened.defer(() => database.close());
  const runtime = resources.use(openModelRuntime({ environment, lock: config.lock, loads }));
  resources.use(opened.move());
  const { connectionString, kind } = database;
  const pool = openPool({ connectionString, connectionsMax: 4, applicationName: "medley apply" });
  resources.adopt(pool, (open) => open.end());
  const name = named ?? onlyOf([...config.collections.keys()]);
  const collection = config.collections.get(name);
  if (collection === undefined) {
    throw unknown("the configuration", name, `configured: ${[...config.collections.keys()].join(", ")}`);
  }
  // Before anything is read: it holds then until this process changes it.
  const lock = locks ? await lockOf({ kind, connectionString, dataDir: settings.dataDir, name }) : null;
  if (lock !== null) resources.use(lock);
  const stored = (await readCatalogue(pool)).find((one) => one.name === name);
  if (stored === undefined) throw unknown("the database", name, "run: medley migrate");
  // A process that had the folder open may have ended without a word.
  if (kind === "own") await forgetReaders(pool, null);
  const encoders = await openEncoders(new Map([[name, collection]]), {
    ...{ runtime, clock: systemClock, environment, resources },
  });
  const live: Generation = {
    ...{ collection: name, generation: stored.generation, state: "live" },
    segments: segmentsOf(stored.spaces),
  };
  const configured = encoders.get(name) as CollectionEncoders;
  const { lost } = lock ?? { lost: new AbortController().signal };
  const embedded = kind !== "server";
  return { configured, stored, live, config, pool, connectionString, runtime, embedded, lost };
}

function lockOf({
  kind,
  connectionString,
  dataDir,
  name,
}: Pick<Database, "kind" | "connectionString"> & {
  readonly dataDir: string;
  readonly name: string;
}): Promise<GenerationLock> | GenerationLock {
  return kind === "server" ? lockGenerations(connectionString, name) : lockEmbeddedGenerations(dataDir, name);
}

function unknown(where: string, name: string, mend: string): MedleyError {
  return new MedleyError("collection_unknown", `${where} has no collection "${name}"`, { mend });
}

function onlyOf(names: readonly string[]): string {
  if (names.length === 1) return names[0] as string;
  throw new MedleyError("usage", `there are ${names.length} collections`, {
    mend: `name one: ${names.join(", ")}`,
  });
}

export function spaceChanges({ configured, live }: GenerationChange): readonly SpaceChange[] {
  const kept = configured.collection.spaces.map((space, index): SpaceChange => {
    const encoder = configured.encoders[index] as CollectionEncoders["encoders"][number];
    return {
      space: space.name,
      how: sameSegment(live, configured, { space, index }) < 0 ? "encoded" : "copied",
      dimensions: encoder.dimensions,
      usesModel: encoder.usesModel,
      isRemote: space.definition.encoder === "remote",
    };
  });
  const names = new Set(configured.layout.map(({ space }) => space));
  const dropped = live.segments
    .filter(({ space }) => !names.has(space))
    .map(({ space, dimensions }) => {
      return { space, how: "dropped", dimensions, usesModel: false, isRemote: false } as const;
    });
  return [...kept, ...dropped];
}

/** Whether the rows have to be made anew: else `medley migrate` does what is left. */
export function needsGeneration({ configured, stored, live }: GenerationChange): boolean {
  const asked = configured.layout.map(({ space, dimensions, encoderIdentity }, index) => [
    ...[space, dimensions, encoderIdentity],
    configured.collection.spaces[index]?.fields,
  ]);
  const there = live.segments.map(({ space, dimensions, encoderIdentity, fields }) => [
    ...[space, dimensions, encoderIdentity],
    fields,
  ]);
  const types = Object.fromEntries(configured.collection.fields.map(({ name, type }) => [name, type]));
  const isOther = Object.entries(stored.fields).some(([name, type]) => types[name] !== type);
  return isOther || canonicalJson(asked) !== canonicalJson(there);
}

export function dimensionsOfLayout(segments: readonly { readonly dimensions: number }[]): number {
  return segments.reduce((sum, { dimensions }) => sum + dimensions, 0);
}
