import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseEnv, promisify } from "node:util";
import type { Address } from "./faults/tcp-proxy.ts";

export const serverNames = ["kafka", "redis", "postgres"] as const;
export type ServerName = (typeof serverNames)[number];

/** Real servers of this run alone, so that they may be killed. They come back on their ports, with their data. */
export interface Servers extends AsyncDisposable {
  address(name: ServerName): Address;
  readonly databaseUrl: string;
  kill(name: ServerName): Promise<void>;
  /** Postgres as `pg_ctl -m immediate` does it: all of its processes end at once, without writing anything. */
  stopImmediately(name: "postgres"): Promise<void>;
  start(name: ServerName): Promise<void>;
}

const run = promisify(execFile);
const startTriesMax = 10;
const script = join(import.meta.dirname, "../../infra/services.sh");

/**
 * Starts them by `infra/services.sh`. Redis waits for the disk at every write (`appendfsync always`): with `everysec`
 * it may forget what it has acknowledged within the last second, and nothing could be promised exactly.
 */
export async function startServers(options: {
  readonly folder: string;
  /** Where Kafka tells its clients to find it: a proxy. */
  readonly kafkaAdvertised: string;
}): Promise<Servers> {
  const runFolder = join(options.folder, "servers");
  mkdirSync(runFolder, { recursive: true });
  // As root, Postgres runs as another user.
  for (const folder of [options.folder, runFolder]) chmodSync(folder, 0o755);
  const environment = {
    ...process.env,
    MEDLEY_SERVICES_RUN: runFolder,
    MEDLEY_KAFKA_ADVERTISED: options.kafkaAdvertised,
    MEDLEY_REDIS_FSYNC: "always",
  };
  // Its children keep what they inherit open, so their output goes to files of the script's own.
  const call = async (...verb: string[]) => {
    const running = run(script, verb, { env: environment });
    // A pipe may break as the server at its other end is killed; what counts is the script's exit code.
    const { stdin, stdout, stderr } = running.child;
    for (const pipe of [stdin, stdout, stderr]) pipe?.on("error", () => {});
    return (await running).stdout;
  };
  await call("install");
  try {
    await call("start");
  } catch (error) {
    // Those that did start.
    await call("stop");
    throw error;
  }
  const variables = parseEnv(await call("env"));
  const urls: Record<ServerName, string> = {
    kafka: `kafka://${variables.KAFKA_BROKERS}`,
    redis: variables.REDIS_URL ?? "",
    postgres: variables.DATABASE_URL ?? "",
  };
  return {
    address: (name) => ({ host: new URL(urls[name]).hostname, port: Number(new URL(urls[name]).port) }),
    databaseUrl: urls.postgres,
    kill: async (name) => void (await call("kill9", name)),
    stopImmediately: async (name) => {
      const pid = Number(readFileSync(join(runFolder, `${name}.pid`), "utf8"));
      process.kill(pid, "SIGQUIT");
      while (isAlive(pid)) await sleep(20);
    },
    start: async (name) => {
      // What is left of a killed Postgres keeps its folder locked for a moment.
      for (let tries = 1; ; tries++) {
        try {
          await call("start-one", name);
          return;
        } catch (error) {
          if (tries === startTriesMax) throw error;
          await sleep(500);
        }
      }
    },
    [Symbol.asyncDispose]: async () => void (await call("stop")),
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
