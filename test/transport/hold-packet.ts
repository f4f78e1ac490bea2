import { openBullmqPostgres, openBullmqRedis } from "@medley/transport";
import { holdOne } from "./holder.ts";

// A process that takes one packet and holds it until it is killed.
const [url = "", prefix = "", lease = ""] = process.argv.slice(2);
const leaseMs = Number(lease);
const transport = url.startsWith("redis")
  ? await openBullmqRedis({ url, prefix, leaseMs })
  : await openBullmqPostgres({ connectionString: url, leaseMs });
await holdOne(transport);
