import { basename } from "node:path";
import { type BackfillRun, MedleyError, tableName } from "@medley/core";
import { settledOf } from "@medley/pipeline";
import { openSource, openTable, type Source, type SourceFormat } from "@medley/sources";
import type { IndexState } from "@medley/store";
import { type BackfillResult, backfill } from "../backfill/backfill.ts";
import { eventSource, eventsPrefix } from "../backfill/event-source.ts";
import type { Deployment } from "../deployment/deployment.ts";
import { configuredTables } from "../ingest/table-ingest.ts";
import { type Context, openHere, settingsOf } from "./context.ts";
import { finishIndex, type IndexChoice, type Load, prepareIndex } from "./index-after-load.ts";
import type { Outcome } from "./output.ts";
import { count, duration, Progress } from "./progress.ts";

export interface BackfillArguments {
  readonly file: string | undefined;
  readonly collection?: string;
  readonly format?: SourceFormat;
  readonly resume?: string;
  /** The file holds events of users. */
  readonly events?: boolean;
  readonly detach?: boolean;
  readonly index?: Exclude<IndexChoice, null>;
}

const tablePrefix = "postgres:";

/** `medley backfill FILE`: reads a file or stdin into a collection and waits until it is indexed. */
export async function backfillCommand(context: Context, given: BackfillArguments): Promise<Outcome> {
  await using deployment = await openHere(context, "own_database");
  const resume = given.resume === undefined ? null : await runToResume(deployment, given.resume);
  const path = given.file ?? resume?.source;
  if (path === undefined) {
    throw new MedleyError("usage", "no file is named", { mend: "medley backfill FILE, or - for stdin" });
  }
  await using resources = new AsyncDisposableStack();
  const events = resume === null ? (given.events ?? false) : resume.source.startsWith(eventsPrefix);
  const named = resume?.collection ?? given.collection;
  const { collection, source } =
    path.startsWith(tablePrefix) && !events
      ? await openTableHere(context, deployment, { path, named, resources })
      : await openFileHere(deployment, { path, named, events, format: given.format });
  if (resume !== null && resume.fingerprint !== (await source.fingerprint())) {
    throw new MedleyError("source_changed", `${path} is not what run ${resume.runId} began with`, {
      mend: "begin a new run: rows that did not change cost no model call",
    });
  }
  const total = await source.total();
  const detach = given.detach ?? false;
  // Events leave the rows, and so the index over them, as they are.
  const load: Load = { deployment, collection, index: events ? "keep" : (given.index ?? null) };
  await prepareIndex(load, { detach, total });
  // Whoever has the data folder open runs the stages; where it is this process, they run here.
  if (deployment.database.kind === "own") await deployment.runStages(["embed", "index"]);

  const startedMs = performance.now();
  const bar = new Progress(collection);
  let runId = "";
  try {
    const result = await backfill({
      deployment,
      collection,
      source,
      path: events && !path.startsWith(eventsPrefix) ? `${eventsPrefix}${path}` : path,
      resume,
      onStart: (id) => {
        runId = id;
        process.stderr.write(`run ${id}: ${path} into ${collection}\n`);
      },
      onProgress: (progress, recordsRead) =>
        bar.update({ done: settledOf(progress), total: total ?? recordsRead }),
      signal: context.signal,
      detach,
    });
    // Nobody else would see to those who hear of the rows, in an embedded database that is closed now.
    if (result.state === "done" && deployment.runsStages)
      await deployment.settled(context.signal).catch((error) => {
        if (!context.signal.aborted) throw error;
      });
    bar.stop();
    const seconds = (performance.now() - startedMs) / 1000;
    const index = result.state === "done" ? await finishIndex(load, context.signal) : null;
    return outcomeOf(result, { load, path, seconds, index });
  } catch (error) {
    bar.stop();
    if (runId !== "") process.stderr.write(`resume with: ${resumeCommand(runId, path)}\n`);
    throw error;
  }
}

async function openFileHere(
  deployment: Deployment,
  {
    path,
    named,
    events,
    format,
  }: { path: string; named: string | undefined; events: boolean; format: SourceFormat | undefined },
): Promise<{ collection: string; source: Source }> {
  const file = events && path.startsWith(eventsPrefix) ? path.slice(eventsPrefix.length) : path;
  const source = await openSource(file, format === undefined ? {} : { format });
  const collection = collectionOf(deployment, named, file);
  if (!events) return { collection, source };
  if (deployment.collection(collection).collection.profiles === null) {
    throw new MedleyError("usage", `collection ${collection} takes no events`, {
      mend: 'give it "profiles" in the configuration',
    });
  }
  return { collection, source: eventSource(source) };
}

async function runToResume(deployment: Deployment, runId: string): Promise<BackfillRun> {
  const run = await deployment.store.readRun(runId);
  if (run === null) {
    const known = (await deployment.store.readFigures()).runs.map((one) => one.runId).join(", ");
    throw new MedleyError("not_found", `there is no run "${runId}"`, { mend: `known: ${known || "none"}` });
  }
  return run;
}

function nameOf(table: string): string {
  const { schema, name } = tableName(table);
  return `${schema}.${name}`;
}

/** `postgres:public.products`, a table that is a source of some collection. Throws `usage` where it is of none, or of several. */
async function openTableHere(
  context: Context,
  { collections, database }: Deployment,
  { path, named, resources }: { path: string; named: string | undefined; resources: AsyncDisposableStack },
): Promise<{ collection: string; source: Source }> {
  const wanted = nameOf(path.slice(tablePrefix.length));
  const tables = configuredTables(
    [...collections.values()].map(({ collection }) => collection),
    settingsOf(context),
    database,
  );
  const found = tables.filter(
    ({ collection, source }) =>
      nameOf(source.table) === wanted && (named ?? collection.name) === collection.name,
  );
  const [one, another] = found;
  if (one === undefined) {
    const known = tables.map(({ source }) => `${tablePrefix}${nameOf(source.table)}`).join(", ");
    throw new MedleyError("usage", `table ${wanted} is no source of a collection`, {
      mend: `configured: ${known || "none; add it to the collection's sources"}`,
    });
  }
  if (another !== undefined) {
    throw new MedleyError("usage", `which collection is ${path} for?`, {
      mend: `add --collection ${found.map(({ collection }) => collection.name).join(" or ")}`,
    });
  }
  const source = resources.use(await openTable({ ...one.database, ...one }));
  const { state } = await source.outboxStatus(settingsOf(context).lanePrefix);
  if (one.source.changes !== false && state !== "installed") {
    process.stderr.write(
      `the triggers on ${source.name} are ${state}: changes made from now on come by the next backfill only (see: medley sources install)\n`,
    );
  }
  return { collection: one.collection.name, source };
}

/** The collection named, or the only one, or the one that the file is called after. */
function collectionOf(deployment: Deployment, named: string | undefined, path: string): string {
  if (named !== undefined) return deployment.collection(named).collection.name;
  const names = [...deployment.collections.keys()];
  const stem = basename(path).split(".")[0] as string;
  const found = names.length === 1 ? names[0] : names.find((name) => name === stem);
  if (found !== undefined) return found;
  throw new MedleyError("usage", `which collection is ${path} for?`, {
    mend: `add --collection ${names.join(" or ")}`,
  });
}

function resumeCommand(runId: string, path: string): string {
  return `medley backfill --resume ${runId}${path === "-" ? " -" : ""}`;
}

function outcomeOf(
  { runId, state, recordsRead, progress }: BackfillResult,
  { load, path, seconds, index }: Finished,
): Outcome {
  const { deployment, collection } = load;
  const { segments } = deployment.counters;
  const data = {
    runId,
    collection,
    state,
    recordsRead,
    ...progress,
    seconds,
    segments: deployment.runsStages ? segments : null,
    resume: state === "interrupted" ? resumeCommand(runId, path) : null,
    index: index?.state ?? null,
  };
  const rate = count(Math.round(settledOf(progress) / seconds));
  const parts = [
    `${count(progress.indexed)} indexed`,
    ...(progress.tombstoned > 0 ? [`${count(progress.tombstoned)} deleted`] : []),
    ...(progress.superseded > 0 ? [`${count(progress.superseded)} superseded by newer versions`] : []),
    ...(progress.deadLetters > 0 ? [`${count(progress.deadLetters)} dead letters`] : []),
  ];
  const lines = [`${collection}: ${parts.join(", ")} in ${duration(seconds)} (${rate} records/s)`];
  if (deployment.runsStages) {
    const { encoded, encodedByModel, reused } = segments;
    lines.push(
      `segments: ${count(encoded)} encoded (${count(encodedByModel)} by a model), ${count(reused)} reused unchanged`,
    );
  }
  if (index?.text) lines.push(index.text);
  if (progress.deadLetters > 0) lines.push(`see why: medley dead-letters list --run ${runId}`);
  if (state === "interrupted") lines.push(`interrupted; resume with: ${resumeCommand(runId, path)}`);
  if (state === "interrupted" && load.index === "after")
    lines.push(`${collection} has no index until then: add --index after, or run medley index ${collection}`);
  if (state === "sent") lines.push("all records are in the queue; follow them with: medley status");
  const exitCode = state === "interrupted" ? 130 : progress.deadLetters > 0 ? 4 : 0;
  return { exitCode, data, text: lines.join("\n") };
}

interface Finished {
  readonly load: Load;
  readonly path: string;
  readonly seconds: number;
  /** Null where the load is not done. */
  readonly index: { readonly state: IndexState; readonly text: string | null } | null;
}
