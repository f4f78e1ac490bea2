import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { auditSql } from "./evidence/audit.ts";
import { CommitFault } from "./faults/commit-fault.ts";
import { TcpProxy } from "./faults/tcp-proxy.ts";
import { Fleet } from "./fleet.ts";
import { type ServerName, type Servers, startServers } from "./servers.ts";
import { configuration } from "./workload/content.ts";
import { Journal } from "./workload/journal.ts";
import { StubEncoder } from "./workload/stub-encoder.ts";

/** Servers besides Postgres that carry the lanes: none, Redis both, or Kafka the stream and Redis the backfill. */
export const laneChoices = ["postgres", "redis", "kafka-redis"] as const;
export type LaneChoice = (typeof laneChoices)[number];

const usedBy: Readonly<Record<LaneChoice, readonly ServerName[]>> = {
  postgres: ["postgres"],
  redis: ["redis", "postgres"],
  "kafka-redis": ["kafka", "redis", "postgres"],
};

/** Everything a run needs, each on ports of its own: servers behind proxies, a migrated database under audit, services. */
export interface World extends AsyncDisposable {
  readonly folder: string;
  readonly servers: Servers;
  readonly proxies: Readonly<Record<ServerName, TcpProxy>>;
  readonly used: readonly ServerName[];
  readonly commitFault: CommitFault;
  readonly encoder: StubEncoder;
  readonly fleet: Fleet;
  readonly journal: Journal;
  readonly journalPath: string;
  /** What services and commands are told. */
  readonly environment: Readonly<Record<string, string>>;
  /** Not through the proxy. */
  readonly database: pg.Pool;
  /** Leaves logs, journal and the servers' data where they are: a run that broke a promise may not do so again. */
  readonly keepFolder: () => void;
}

const command = join(import.meta.dirname, "../../packages/medley/bin/medley.js");
const database = "chaos";

export interface WorldOptions {
  readonly lanes: LaneChoice;
  /** Besides what connects the services. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Keep logs and journal. Default false. */
  readonly keepsFolder?: boolean;
}

export async function openWorld(options: WorldOptions): Promise<World> {
  await using resources = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "medley-chaos-"));
  let isKept = options.keepsFolder ?? false;
  resources.defer(() => {
    if (!isKept) rmSync(folder, { recursive: true, force: true });
  });
  const commitFault = new CommitFault();
  let servers: Servers | null = null;
  const proxyOf = async (name: ServerName) => {
    const to = () => (servers as Servers).address(name);
    const inspector = name === "postgres" ? () => commitFault.inspector() : undefined;
    return resources.use(await TcpProxy.open(to, inspector));
  };
  const proxies = {
    kafka: await proxyOf("kafka"),
    redis: await proxyOf("redis"),
    postgres: await proxyOf("postgres"),
  };
  servers = resources.use(await startServers({ folder, kafkaAdvertised: `127.0.0.1:${proxies.kafka.port}` }));
  const encoder = resources.use(await StubEncoder.open());
  const pool = resources.adopt(await createDatabase(servers), (open) => open.end());
  writeFileSync(join(folder, "medley.config.json"), JSON.stringify(configuration(encoder.url)));
  const environment = { ...environmentOf(options.lanes, proxies), ...options.environment };
  await promisify(execFile)(process.execPath, [command, "migrate"], {
    cwd: folder,
    env: { ...process.env, ...environment },
  });
  await pool.query(auditSql);
  const journalPath = join(folder, "journal.jsonl");
  const journal = resources.use(new Journal(journalPath));
  const fleet = resources.use(new Fleet({ folder, environment }));
  const used = usedBy[options.lanes];
  const parts = { folder, servers, proxies, used, commitFault, encoder, fleet, journal, journalPath };
  const owned = resources.move();
  return {
    ...parts,
    ...{ environment, database: pool },
    keepFolder: () => {
      isKept = true;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function createDatabase(servers: Servers): Promise<pg.Pool> {
  const admin = new pg.Client({ connectionString: servers.databaseUrl });
  await admin.connect();
  await admin.query(`create database ${database}`).finally(() => admin.end());
  const url = new URL(servers.databaseUrl);
  url.pathname = `/${database}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 2, connectionTimeoutMillis: 5_000 });
  pool.on("error", () => {}); // The server is killed on purpose.
  return pool;
}

function environmentOf(
  lanes: LaneChoice,
  proxies: Readonly<Record<ServerName, TcpProxy>>,
): Record<string, string> {
  const { kafka, redis, postgres } = proxies;
  const used = usedBy[lanes];
  return {
    MEDLEY_DATABASE_URL: `postgres://postgres@127.0.0.1:${postgres.port}/${database}`,
    MEDLEY_CONFIG: "medley.config.json",
    MEDLEY_MODEL_THREADS: "1",
    // Little may wait, so that the drain at the end takes about as long on any machine.
    MEDLEY_BACKLOG_PACKETS_MAX: "20",
    // So that a half-open connection is given up within 15 s.
    MEDLEY_DATABASE_STATEMENT_MS_MAX: "10000",
    MALLOC_TRIM_THRESHOLD_: "1048576",
    MEDLEY_LANE_PREFIX: `chaos-${randomBytes(4).toString("hex")}`,
    ...(used.includes("kafka") ? { MEDLEY_KAFKA_BROKERS: `127.0.0.1:${kafka.port}` } : {}),
    ...(used.includes("redis") ? { MEDLEY_REDIS_URL: `redis://127.0.0.1:${redis.port}` } : {}),
  };
}
