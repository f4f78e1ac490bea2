import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { migrateBullmq, openBullmqPostgres } from "@medley/transport";
import type { QueueUnderTest } from "@medley/transport/conformance";
import pg from "pg";
import { Line } from "./line.ts";

const leaseMs = 2_500;

/** The queue in a database that is the test's own. */
export async function startBullmqPostgres(
  connectionString: string,
  stopServer: () => Promise<void>,
): Promise<QueueUnderTest> {
  await migrateBullmq(connectionString);
  const pool = new pg.Pool({ connectionString, max: 1 });
  const lines: Line[] = [];
  const open = (through = connectionString) => openBullmqPostgres({ connectionString: through, leaseMs });
  return {
    open: () => open(),
    empty: async () => {
      await Promise.all(lines.splice(0).map((line) => line.cut()));
      await pool.query("delete from bullmq.job");
    },
    startHolder: () => startHolder(connectionString),
    openOverLine: async () => {
      const url = new URL(connectionString);
      const line = new Line({ host: url.hostname, port: Number(url.port) });
      lines.push(line);
      await line.mend();
      url.hostname = "127.0.0.1";
      url.port = String(line.port);
      return { transport: await open(url.href), cut: () => line.cut(), mend: () => line.mend() };
    },
    stop: async () => {
      await pool.end();
      await stopServer();
    },
  };
}

async function startHolder(connectionString: string): Promise<{ kill(): Promise<void> }> {
  const script = new URL("./hold-packet.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, connectionString, String(leaseMs)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = await once(child.stdout, "data");
  assert.equal(String(said), "held\n");
  return {
    kill: async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
