import { MedleyError } from "@medley/core";
import { loadConfig } from "./config/load-config.ts";
import { readSettings } from "./config/settings.ts";
import { interruption } from "./interruption.ts";
import { openLogger } from "./observability/log.ts";
import { startTracing } from "./observability/tracing.ts";
import { type Role, serve } from "./serve.ts";

/**
 * The whole of a service's `main.ts`: reads configuration and environment once, serves until SIGINT or SIGTERM, drains; a second signal ends it at once.
 * Needs `MEDLEY_DATABASE_URL`, since processes meet in a Postgres server: the embedded one belongs to one process.
 */
export async function runService(role: Role): Promise<void> {
  const signal = interruption();
  try {
    const settings = readSettings(process.env);
    if (settings.databaseUrl === null) {
      throw new MedleyError("usage", `the service ${role.name} needs a Postgres server`, {
        mend: "set MEDLEY_DATABASE_URL, or run everything in one process with `medley up`",
      });
    }
    const config = await loadConfig(process.cwd(), process.env.MEDLEY_CONFIG);
    const logger = openLogger({ role: role.name, level: settings.logLevel });
    await using _tracing = await startTracing({
      role: role.name,
      environment: process.env,
      onFault: (message) => logger.warn({ part: "tracing" }, message),
    });
    await serve({ config, settings, role, signal });
  } catch (error) {
    const mend = error instanceof MedleyError && error.mend !== undefined ? `\n  ${error.mend}` : "";
    process.stderr.write(`${role.name}: ${error instanceof Error ? error.message : error}${mend}\n`);
    process.exitCode = 1;
  }
}
