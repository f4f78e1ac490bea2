import { openBullmqPostgres, openBullmqRedis } from "@medley/transport";

// A process that takes one packet and holds it until it is killed.
const [url = "", prefix = "", lease = ""] = process.argv.slice(2);
const leaseMs = Number(lease);
const transport = url.startsWith("redis")
  ? await openBullmqRedis({ url, prefix, leaseMs })
  : await openBullmqPostgres({ connectionString: url, leaseMs });
await transport.consume(
  "records",
  async () => {
    process.stdout.write("held\n");
    await new Promise(() => {});
  },
  { packetsInFlightMax: 1 },
);
