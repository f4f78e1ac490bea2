import { openBullmqPostgres } from "@medley/transport";

// A process that takes one packet and holds it until it is killed.
const [connectionString = "", leaseMs = ""] = process.argv.slice(2);
const transport = await openBullmqPostgres({ connectionString, leaseMs: Number(leaseMs) });
await transport.consume(
  "records",
  async () => {
    process.stdout.write("held\n");
    await new Promise(() => {});
  },
  { packetsInFlightMax: 1 },
);
