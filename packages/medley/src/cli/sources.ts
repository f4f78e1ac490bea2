import { type Collection, MedleyError, sourceName } from "@medley/core";
import {
  connect,
  type InstalledSource,
  installOutbox,
  installScript,
  listInstalled,
  outboxOf,
  planOf,
  readOutboxStatus,
  type TableDatabaseOptions,
  uninstallOutbox,
} from "@medley/sources";
import { type Database, openDatabase } from "../deployment/database.ts";
import { tableDatabase } from "../ingest/table-address.ts";
import { type ConfiguredTable, configuredTables } from "../ingest/table-ingest.ts";
import { type Context, configOf, logFault, settingsOf } from "./context.ts";
import { type Outcome, table } from "./output.ts";

type Client = Awaited<ReturnType<typeof connect>>;

interface TablesHere {
  readonly deployment: string;
  readonly tables: readonly ConfiguredTable[];
  /** Those of the tables, and one that was named besides. */
  readonly databases: readonly TableDatabaseOptions[];
  readonly connected: (database: TableDatabaseOptions) => Promise<Client>;
}

/** `medley sources install`: the only command that changes the user's database. */
export async function installSources(context: Context, given: { sql?: boolean }): Promise<Outcome> {
  await using resources = new AsyncDisposableStack();
  const { deployment, tables, connected } = await tablesHere(context, resources);
  const scripts: string[] = [];
  const done: { collection: string; source: string; outbox: string }[] = [];
  for (const { collection, source, database } of tables) {
    if (source.changes === false) continue;
    const client = await connected(database);
    const plan = await planOf(client, { collection, source });
    if (plan.shape.kind === "view") {
      throw new MedleyError("source_mismatch", `${sourceName(source)} is a view: it can't have triggers`, {
        mend: "set changes: false to backfill it only, or name the tables below it",
      });
    }
    const role = (await client.query<{ role: string }>("select current_user as role")).rows[0]?.role ?? "";
    const outbox = outboxOf(plan, { deployment, role });
    if (given.sql) scripts.push(installScript(outbox));
    else await installOutbox(client, plan, deployment);
    done.push({ collection: collection.name, source: sourceName(source), outbox: outbox.name });
  }
  if (given.sql) return { exitCode: 0, data: { scripts }, text: scripts.join("\n\n") };
  const lines = done.map(
    ({ collection, source }) => `${collection}: changes of ${source} are told from now on`,
  );
  const next = "\nwhat was there before comes by: medley backfill postgres:TABLE";
  const text = lines.length === 0 ? "no table is a source that tells changes" : `${lines.join("\n")}${next}`;
  return { exitCode: 0, data: { installed: done }, text };
}

export interface UninstallArguments {
  /** Names of `sources status`. */
  readonly names: readonly string[];
  readonly all?: boolean;
  /** A database that no configured source is in any more. */
  readonly urlVariable?: string;
}

/** `medley sources uninstall`: takes triggers and outbox away, also those of sources that are no longer configured. */
export async function uninstallSources(context: Context, given: UninstallArguments): Promise<Outcome> {
  await using resources = new AsyncDisposableStack();
  const here = await tablesHere(context, resources, given.urlVariable);
  const found = await installedHere(here);
  const chosen = found.filter(({ name }) => given.all || given.names.includes(name));
  const known = found.map(({ name }) => name).join(", ") || "none";
  const unknown = given.names.find((name) => found.every((one) => one.name !== name));
  if (unknown !== undefined) {
    throw new MedleyError("not_found", `"${unknown}" is not installed`, { mend: `installed: ${known}` });
  }
  if (chosen.length === 0 && !given.all) {
    throw new MedleyError("usage", "nothing is named", { mend: `name some of: ${known}; or all: --all` });
  }
  for (const { client, sourceId } of chosen) await uninstallOutbox(client, sourceId);
  const names = chosen.map(({ name }) => name);
  return { exitCode: 0, data: { uninstalled: names }, text: `uninstalled: ${names.join(", ") || "none"}` };
}

/** `medley sources status`: exit code 1 where a table does not tell its changes as it is configured. */
export async function sourcesStatus(context: Context): Promise<Outcome> {
  await using resources = new AsyncDisposableStack();
  const here = await tablesHere(context, resources);
  const sources = [];
  for (const { collection, source, database } of here.tables) {
    const client = await here.connected(database);
    const plan = await planOf(client, { collection, source });
    const status = await readOutboxStatus(client, plan, here.deployment);
    const { name } = outboxOf(plan, { deployment: here.deployment, role: "" });
    const state = source.changes === false ? ("off" as const) : status.state;
    sources.push({ name, collection: collection.name, source: sourceName(source), ...status, state });
  }
  const configured = new Set(sources.filter(({ state }) => state !== "off").map(({ name }) => name));
  const left = (await installedHere(here)).map(({ name }) => name).filter((name) => !configured.has(name));
  const rows = sources.map((one) => [one.name, one.state, one.waiting, Math.round(one.oldestAgeMs / 1000)]);
  const lines = [table(["source", "triggers", "waiting", "oldest (s)"], rows)];
  const isBehind = sources.some(({ state }) => state !== "installed" && state !== "off");
  if (isBehind) lines.push("bring them up to date with: medley sources install");
  for (const name of left)
    lines.push(`${name} fills its outbox for nobody: medley sources uninstall ${name}`);
  return { exitCode: isBehind ? 1 : 0, data: { sources, notConfigured: left }, text: lines.join("\n") };
}

async function installedHere({
  deployment,
  databases,
  connected,
}: TablesHere): Promise<(InstalledSource & { client: Client })[]> {
  const clients = new Set(await Promise.all(databases.map(connected)));
  const all = [];
  for (const client of clients)
    for (const one of await listInstalled(client, deployment)) all.push({ ...one, client });
  return all;
}

/** Opens Medley's own database only where a table is in it, and each database once. */
async function tablesHere(
  context: Context,
  resources: AsyncDisposableStack,
  urlVariable?: string,
): Promise<TablesHere> {
  const [{ collections }, settings] = [await configOf(context), settingsOf(context)];
  const own = await ownDatabase(context, collections.values(), resources);
  const tables = configuredTables(collections.values(), settings, own);
  const named = urlVariable === undefined ? [] : [tableDatabase(urlVariable, settings, own)];
  const databases = [...tables.map(({ database }) => database), ...named];
  const clients = new Map<string, Promise<Client>>();
  const connected = (database: TableDatabaseOptions) => {
    const known = clients.get(database.connectionString);
    if (known !== undefined) return known;
    const opening = connect(database);
    clients.set(database.connectionString, opening);
    resources.defer(() => opening.then((client) => client.end()).catch(() => {}));
    return opening;
  };
  return { deployment: settings.lanePrefix, tables, databases, connected };
}

async function ownDatabase(
  context: Context,
  collections: Iterable<Collection>,
  resources: AsyncDisposableStack,
): Promise<Pick<Database, "kind" | "connectionString">> {
  const isNeeded = [...collections].some(({ sources }) =>
    sources.some((source) => source.kind === "postgres" && source.urlVariable === undefined),
  );
  if (!isNeeded) return { kind: "server", connectionString: "" };
  const opened = await openDatabase({
    settings: { ...settingsOf(context), postgresPort: 0 },
    mayAttach: true,
    onEngineFault: ({ reason }) => logFault({ part: "engine", message: reason }),
  });
  resources.defer(() => opened.close());
  return opened;
}
