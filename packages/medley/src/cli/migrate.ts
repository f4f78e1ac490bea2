import { systemClock } from "@medley/core";
import { openModelRuntime } from "@medley/models";
import { migrate, planMigration } from "@medley/store";
import { migrateBullmq } from "@medley/transport";
import pg from "pg";
import { openDatabase } from "../deployment/database.ts";
import { openEncoders } from "../deployment/open-encoders.ts";
import { type Context, configOf, logFault, settingsOf } from "./context.ts";
import type { Outcome } from "./output.ts";

export interface MigrateArguments {
  /** Print the statements instead of running them. */
  readonly sql?: boolean;
  /** Fail (exit code 1) where something is to be done, and do nothing. */
  readonly check?: boolean;
}

/** `medley migrate`: the only command that changes tables; the running services never do. */
export async function migrateCommand(context: Context, given: MigrateArguments): Promise<Outcome> {
  const [{ collections, lock }, settings] = [await configOf(context), settingsOf(context)];
  const { environment } = settings;
  await using resources = new AsyncDisposableStack();
  const runtime = resources.use(openModelRuntime({ environment, lock, loads: false }));
  // The dimensions of a column are those of its encoders.
  const encoders = await openEncoders(collections, { runtime, clock: systemClock, environment, resources });
  const opened = [...encoders.values()];
  const database = await openDatabase({
    settings: { ...settings, postgresPort: 0 },
    mayAttach: true,
    onEngineFault: ({ reason }) => logFault({ part: "engine", message: reason }),
  });
  const pool = new pg.Pool({ connectionString: database.connectionString, max: 1 });
  try {
    if (given.sql || given.check) {
      const steps = await planMigration(pool, opened);
      const names = steps.map((step) => step.name);
      if (given.sql)
        return { exitCode: 0, data: steps, text: steps.map((s) => `-- ${s.name}\n${s.sql}`).join("\n\n") };
      const text = names.length === 0 ? "up to date" : `to be done: ${names.join(", ")}`;
      return { exitCode: names.length === 0 ? 0 : 1, data: { pending: names }, text };
    }
    const applied = await migrate(pool, opened);
    await migrateBullmq(database.connectionString);
    const text = applied.length === 0 ? "up to date" : `applied: ${applied.join(", ")}`;
    return { exitCode: 0, data: { applied }, text };
  } finally {
    await pool.end();
    await database.close();
  }
}
