import { strict as assert } from "node:assert";
import { parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { MedleyError } from "@medley/core";
import { WireServer } from "./wire-server.ts";

/** What the thread is started with. */
export interface EngineThreadInput {
  readonly folder: string;
  /** 0: a free one. */
  readonly port: number;
  readonly idleInTransactionMsMax: number;
}

/** What the thread says. After `faulted` it is to be terminated. */
export type EngineThreadEvent =
  | { kind: "listening"; port: number }
  | { kind: "refused"; message: string; mend: string | undefined }
  | { kind: "faulted"; reason: string }
  | { kind: "closed" };

const clientsMax = 100;
const turnBytesMax = 256 * 1024 * 1024;
const told = [
  "server_version",
  "server_encoding",
  "client_encoding",
  "DateStyle",
  "IntervalStyle",
  "TimeZone",
  "integer_datetimes",
  "standard_conforming_strings",
];

assert(parentPort !== null, "runs in a thread of its own: its calls block");
const parent = parentPort;
const input = workerData as EngineThreadInput;
const say = (event: EngineThreadEvent) => parent.postMessage(event);

// A quarter of the default, whose 160 MB more of memory win nothing: the system caches the files as well.
const sharedBuffers = "shared_buffers=32MB";

const engine = await PGlite.create({
  dataDir: input.folder,
  extensions: { vector },
  relaxedDurability: false,
  startParams: [...PGlite.defaultStartParams, "-c", sharedBuffers],
});
const { rows } = await engine.query<{ name: string; setting: string }>(
  "select name, setting from pg_settings where name = any ($1)",
  [told],
);

try {
  const server = await WireServer.listen({
    engine,
    port: input.port,
    settings: Object.fromEntries(rows.map(({ name, setting }) => [name, setting])),
    onEngineFault: (reason) => say({ kind: "faulted", reason }),
    idleInTransactionMsMax: input.idleInTransactionMsMax,
    clientsMax,
    turnBytesMax,
  });
  parent.once("message", async () => {
    await server.close();
    await engine.close();
    say({ kind: "closed" });
  });
  say({ kind: "listening", port: server.port });
} catch (error) {
  if (!(error instanceof MedleyError)) throw error;
  say({ kind: "refused", message: error.message, mend: error.mend });
}
