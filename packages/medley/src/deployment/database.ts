import { MedleyError } from "@medley/core";
import { openEmbeddedPostgres } from "@medley/store";
import type { Settings } from "../config/settings.ts";
import { readInstance, removeInstance, writeInstance } from "./instance.ts";

/**
 * A Postgres to work with, and whose it is: `own` (embedded, in this process), `attached` (embedded in another process
 * that has the data folder open) or `server` (`MEDLEY_DATABASE_URL`).
 */
export interface Database {
  readonly kind: "own" | "attached" | "server";
  readonly connectionString: string;
  /** Tells other commands where this process serves HTTP; nothing to do where the database is not its own. */
  announce(httpUrl: string): void;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly settings: Settings;
  /** Whether a data folder that another process has open will do: then its Postgres is used. */
  readonly mayAttach: boolean;
  readonly onEngineFault: (fault: { reason: string; restart: number }) => void;
}

export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { settings, mayAttach } = options;
  if (settings.databaseUrl !== null) return borrowed("server", settings.databaseUrl);
  try {
    return await openOwn(options);
  } catch (error) {
    const inUse = error instanceof MedleyError && error.code === "data_in_use";
    const instance = inUse && mayAttach ? readInstance(settings.dataDir) : null;
    if (instance === null) throw error;
    return borrowed("attached", instance.connectionString);
  }
}

function borrowed(kind: "attached" | "server", connectionString: string): Database {
  return { kind, connectionString, announce: () => {}, close: async () => {} };
}

async function openOwn({ settings, onEngineFault }: DatabaseOptions): Promise<Database> {
  const { dataDir } = settings;
  const embedded = await openEmbeddedPostgres({
    dataDir,
    port: settings.postgresPort,
    onFault: onEngineFault,
  });
  const { connectionString } = embedded;
  writeInstance(dataDir, { pid: process.pid, connectionString, httpUrl: null });
  return {
    kind: "own",
    connectionString,
    announce: (httpUrl) => writeInstance(dataDir, { pid: process.pid, connectionString, httpUrl }),
    close: async () => {
      removeInstance(dataDir);
      await embedded.close();
    },
  };
}
