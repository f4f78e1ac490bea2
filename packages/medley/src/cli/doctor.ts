import { availableParallelism, totalmem } from "node:os";
import { MedleyError, systemClock } from "@medley/core";
import { openModelRuntime } from "@medley/models";
import { openPool, pgvectorWarning, requirePgvector } from "@medley/store";
import { requireTopics } from "@medley/transport";
import { openDatabase } from "../deployment/database.ts";
import { openEncoders } from "../deployment/open-encoders.ts";
import { type ConfiguredTopic, configuredTopics, kafkaOf } from "../ingest/topic-ingest.ts";
import { type Context, configOf, settingsOf } from "./context.ts";
import type { Outcome } from "./output.ts";

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** `medley doctor`: tries each part by itself and says what is wrong with which. */
export async function doctorCommand(context: Context): Promise<Outcome> {
  const checks: Check[] = [];
  const check = async (name: string, run: () => Promise<string>) => {
    try {
      checks.push({ name, ok: true, detail: await run() });
    } catch (error) {
      const mend = error instanceof MedleyError && error.mend !== undefined ? `; ${error.mend}` : "";
      checks.push({ name, ok: false, detail: `${error instanceof Error ? error.message : error}${mend}` });
    }
  };
  await check("machine", async () => {
    const gib = (totalmem() / 2 ** 30).toFixed(1);
    return `Node ${process.version}, ${availableParallelism()} cores, ${gib} GiB of memory`;
  });
  await check("configuration", async () => {
    const { file, collections } = await configOf(context);
    return `${file}: ${[...collections.keys()].join(", ")}`;
  });
  await check("models", () => describeModels(context));
  await check("database", () => describeDatabase(context));
  for (const topic of await topicsOf(context)) await check("topic", () => describeTopic(context, topic));
  const failed = checks.filter((one) => !one.ok).length;
  const text = checks
    .map(({ name, ok, detail }) => `${ok ? "ok  " : "FAIL"}  ${name.padEnd(14)} ${detail}`)
    .join("\n");
  return { exitCode: failed > 0 ? 1 : 0, data: checks, text };
}

async function describeModels(context: Context): Promise<string> {
  const { collections, lock } = await configOf(context);
  const { environment } = settingsOf(context);
  await using resources = new AsyncDisposableStack();
  const runtime = resources.use(openModelRuntime({ environment, lock, threads: 1 }));
  const opened = await openEncoders(collections, { runtime, clock: systemClock, environment, resources });
  const spaces = [...opened.values()].flatMap((one) => one.layout.map((s) => `${s.space} ${s.dimensions}`));
  return `files match their sha256; dimensions: ${spaces.join(", ")}`;
}

async function describeDatabase(context: Context): Promise<string> {
  const settings = { ...settingsOf(context), postgresPort: 0 };
  const database = await openDatabase({ settings, mayAttach: true, onEngineFault: () => {} });
  const { connectionString, kind } = database;
  const pool = openPool({ connectionString, connectionsMax: 1, applicationName: "medley doctor" });
  try {
    const { rows } = await pool.query(
      `select current_setting('server_version') as postgres,
         (select extversion from pg_extension where extname = 'vector') as installed,
         (select default_version from pg_available_extensions where name = 'vector') as available`,
    );
    const { postgres, installed, available } = rows[0];
    requirePgvector(installed ?? available);
    const warning = kind === "server" && installed !== null ? pgvectorWarning(installed) : null;
    const pgvector = installed ?? `${available}, not in this database yet`;
    return `${kind}: Postgres ${postgres}, pgvector ${pgvector}${warning === null ? "" : `; warning: ${warning}`}`;
  } finally {
    await pool.end();
    await database.close();
  }
}

/** None where the configuration is no good, which is said above. */
async function topicsOf(context: Context): Promise<readonly ConfiguredTopic[]> {
  try {
    const { collections } = await configOf(context);
    return configuredTopics(collections.values(), settingsOf(context));
  } catch {
    return [];
  }
}

async function describeTopic(context: Context, topic: ConfiguredTopic): Promise<string> {
  const { collection, source, group } = topic;
  await requireTopics(kafkaOf(settingsOf(context), topic), [source.topic]);
  return `${source.topic} is there, for collection ${collection.name} by group ${group}`;
}
