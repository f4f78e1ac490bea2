import { migrateBullmq, openBullmqPostgres } from "@medley/transport";
import type { QueueUnderTest } from "@medley/transport/conformance";
import pg from "pg";
import { startHolder } from "./holder.ts";
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
    startHolder: () => startHolder("hold-packet.ts", [connectionString, "", String(leaseMs)]),
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
