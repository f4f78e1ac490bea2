import { totalmem } from "node:os";
import { type Clock, type Collection, type Encoder, type Space, systemClock } from "@medley/core";
import {
  chooseDevice,
  emptyLock,
  type ModelLock,
  type ModelRuntimeOptions,
  openModelRuntime,
  pinnedArtefact,
} from "@medley/models";
import { migrate, openPool, openPostgresStore, pgvectorWarning } from "@medley/store";
import { migrateBullmq } from "@medley/transport";
import type pg from "pg";
import { trainedSpaces } from "../config/configured-models.ts";
import type { Settings } from "../config/settings.ts";
import { type Database, openDatabase } from "./database.ts";
import { openDeadLetterTopic } from "./dead-letter-topic.ts";
import { Deployment, type Fault } from "./deployment.ts";
import { followGenerations } from "./follow-generations.ts";
import { Generations } from "./generations.ts";
import { encodersOf, openEncoders } from "./open-encoders.ts";
import { openLanes } from "./open-lanes.ts";
import type { StageFailure } from "./stages.ts";

export interface DeploymentOptions {
  readonly collections: ReadonlyMap<string, Collection>;
  readonly settings: Settings;
  /** Of `loadConfig`. Default: no model of the hub is pinned, so none is loaded. */
  readonly lock?: ModelLock;
  readonly clock?: Clock;
  /** An encoder of the caller's own for a space; null: the one configured. Default: always null. */
  readonly encoderOf?: (space: Space) => Encoder | null;
  /**
   * Whether models are loaded, which takes memory and a moment: not for what only sends, writes or looks. `own_database`:
   * where the database is this process's own, so that nobody else can run the stages. Default true.
   */
  readonly encodes?: boolean | "own_database";
  /** See `DatabaseOptions`. Default false. */
  readonly mayAttach?: boolean;
  /** Brings the database up to date first. Default: where it is embedded. A server's is migrated by `medley migrate`. */
  readonly migrates?: boolean;
  /** Faults that are being got over, for logs. */
  readonly onFault?: (fault: Fault) => void;
  /** Packets that failed and come again, for logs. */
  readonly onStageFailure?: (failure: StageFailure) => void;
  /** Part of what `pg_stat_activity` calls its connections. Default: none. */
  readonly role?: string;
}

// Of the store: longer than a count of many rows takes, shorter than a system needs to notice that the other side is gone.
const queryMsMax = 60_000;
// Where the server ends statements by itself: how long its word may take to come.
const answerMsMax = 5_000;
// Of a look at the generations in hand.
const lookMsMax = 500;

/** Throws `model_not_found` for a space that has no artefact yet. */
function requireTrained({ collections, lock }: DeploymentOptions): void {
  for (const place of trainedSpaces(collections)) pinnedArtefact(place, lock);
}

/** Throws `device_unavailable`. */
async function runtimeOptionsOf(
  { settings, lock, encodes = true }: DeploymentOptions,
  database: Database,
): Promise<ModelRuntimeOptions> {
  const { environment, modelThreads, modelMemoryMegabytesMax } = settings;
  const memoryBytes = process.constrainedMemory() || totalmem();
  const loads = encodes === "own_database" ? database.kind === "own" : encodes;
  return {
    environment,
    loads,
    device: loads ? await chooseDevice(settings.device) : "cpu",
    memoryBytesMax:
      modelMemoryMegabytesMax === null
        ? Math.min(memoryBytes, totalmem()) / 2
        : modelMemoryMegabytesMax * 2 ** 20,
    ...(lock === undefined ? {} : { lock }),
    ...(modelThreads === null ? {} : { threads: modelThreads }),
  };
}

function openStorePool({ settings, role }: DeploymentOptions, { kind, connectionString }: Database): pg.Pool {
  const applicationName = role === undefined ? "medley" : `medley ${role}`;
  const { databaseConnectionsMax, databaseStatementMsMax, databaseLockMsMax } = settings;
  // The embedded engine has one session: what waits there waits for others.
  if (kind !== "server") {
    return openPool({ connectionString, connectionsMax: databaseConnectionsMax, applicationName });
  }
  return openPool({
    connectionString,
    connectionsMax: databaseConnectionsMax,
    applicationName,
    queryMsMax: databaseStatementMsMax === null ? queryMsMax : databaseStatementMsMax + answerMsMax,
    statementMsMax: databaseStatementMsMax,
    lockMsMax: databaseLockMsMax,
  });
}

/** Throws what its parts throw: `data_in_use`, `port_taken`, `model_not_found`, `schema_behind` and so on. */
export async function openDeployment(options: DeploymentOptions): Promise<Deployment> {
  const { settings } = options;
  const faults = { queue: 0, engine: 0, database: 0 };
  const onFault = (fault: Fault) => {
    faults[fault.part] += 1;
    options.onFault?.(fault);
  };
  // Before the database, which takes seconds to make.
  if (options.encoderOf === undefined) requireTrained(options);
  await using resources = new AsyncDisposableStack();
  const database = await openDatabase({
    settings,
    mayAttach: options.mayAttach ?? false,
    onEngineFault: ({ reason, restart }) =>
      onFault({ part: "engine", message: `restart ${restart}: ${reason}` }),
  });
  await using opened = new AsyncDisposableStack();
  opened.defer(() => database.close());
  // Closed after the database: by then its threads have been idle for a while, and a thread that ends in the middle of a
  // native call takes the process with it.
  const runtime = resources.use(openModelRuntime(await runtimeOptionsOf(options, database)));
  resources.use(opened.move());
  // Not beside the database: making a new one takes 1 GB for a second, and a model half of that while it loads.
  const encoding = {
    runtime,
    clock: options.clock ?? systemClock,
    environment: settings.environment,
    resources,
    ...(options.encoderOf === undefined ? {} : { encoderOf: options.encoderOf }),
  };
  const configured = await openEncoders(options.collections, encoding);
  const { connectionString } = database;
  const pool = openStorePool(options, database);
  resources.adopt(pool, (open) => open.end());
  if (options.migrates ?? database.kind === "own") {
    await migrate(pool, [...configured.values()]);
    await migrateBullmq(connectionString);
  }
  const topic = openDeadLetterTopic(settings.kafka, resources);
  const store = await openPostgresStore({
    pool,
    collections: [...configured.values()],
    ...(topic === null ? {} : { beforeDeadLetters: (letters) => topic.send(letters) }),
  });
  const collections = new Map(
    [...configured].map(([name, opened]) => [name, { ...opened, generation: store.servedGeneration(name) }]),
  );
  const generations = new Generations({
    ...{ store, pool, live: collections, lock: options.lock ?? emptyLock, encodes: runtime.loads },
    openEncoders: (collection, lock) => encodersOf(collection, { ...encoding, lock }),
  });
  resources.defer(() => generations.leave());
  await generations.look();
  for (const following of followGenerations(generations, { database, onFault }))
    resources.defer(() => following.close({ graceMs: lookMsMax }));
  const warning = database.kind === "server" ? pgvectorWarning(store.pgvector) : null;
  if (warning !== null) onFault({ part: "database", message: warning });
  const lanes = await openLanes({
    settings,
    connectionString,
    store,
    resources,
    onFault: (fault) => onFault({ part: "queue", message: fault.message }),
    onWarning: (message) => onFault({ part: "queue", message }),
  });
  const parts = { database, collections, generations, store, lanes, pool, runtime, faults };
  return new Deployment(parts, resources.move(), options);
}
