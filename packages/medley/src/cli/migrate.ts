import { systemClock } from "@medley/core";
import { openModelRuntime } from "@medley/models";
import {
  type CollectionLayout,
  type GrantedRole,
  grantRoles,
  grantSql,
  type MigrationStep,
  migrate,
  openPool,
  planMigration,
  type RoleFault,
  readPgvectorWarning,
  readRoleFaults,
} from "@medley/store";
import { bullmqMigrationSql, migrateBullmq } from "@medley/transport";
import type pg from "pg";
import { openDatabase } from "../deployment/database.ts";
import { openEncoders } from "../deployment/open-encoders.ts";
import { type Context, configOf, logFault, settingsOf } from "./context.ts";
import type { Outcome } from "./output.ts";

export interface MigrateArguments {
  /** Print the statements instead of running them. */
  readonly sql?: boolean;
  /** Fail (exit code 1) where something is to be done, and do nothing. */
  readonly check?: boolean;
  /** A role to be given what the services need, now and by later migrations. */
  readonly roleApp?: string;
  /** A role to be given searches and views. */
  readonly roleRead?: string;
}

interface Target {
  readonly pool: pg.Pool;
  readonly connectionString: string;
  readonly collections: readonly CollectionLayout[];
  readonly roles: readonly GrantedRole[];
}

/** `medley migrate`: the only command that changes tables; the running services never do. */
export async function migrateCommand(context: Context, given: MigrateArguments): Promise<Outcome> {
  const [{ collections, lock }, settings] = [await configOf(context), settingsOf(context)];
  const { environment } = settings;
  await using resources = new AsyncDisposableStack();
  const runtime = resources.use(openModelRuntime({ environment, lock, loads: false }));
  // The dimensions of a column are those of its encoders.
  const encoders = await openEncoders(collections, { runtime, clock: systemClock, environment, resources });
  const database = await openDatabase({
    settings: { ...settings, postgresPort: 0 },
    mayAttach: true,
    onEngineFault: ({ reason }) => logFault({ part: "engine", message: reason }),
  });
  resources.defer(() => database.close());
  const { connectionString } = database;
  const pool = openPool({ connectionString, connectionsMax: 1, applicationName: "medley migrate" });
  resources.adopt(pool, (open) => open.end());
  const target = { pool, connectionString, collections: [...encoders.values()], roles: rolesOf(given) };
  const done = given.sql || given.check ? await pendingOutcome(target, given) : await migrated(target);
  const warning = database.kind === "server" ? await readPgvectorWarning(pool) : null;
  if (warning !== null) process.stderr.write(`warning: ${warning}\n`);
  return done;
}

function rolesOf({ roleApp, roleRead }: MigrateArguments): readonly GrantedRole[] {
  return [
    ...(roleApp === undefined ? [] : [{ name: roleApp, kind: "app" as const }]),
    ...(roleRead === undefined ? [] : [{ name: roleRead, kind: "read" as const }]),
  ];
}

async function migrated({ pool, connectionString, collections, roles }: Target): Promise<Outcome> {
  const applied = await migrate(pool, collections);
  await migrateBullmq(connectionString);
  const granted = await grantRoles(pool, roles);
  const parts = [
    ...(applied.length === 0 ? [] : [`applied: ${applied.join(", ")}`]),
    ...(granted.length === 0 ? [] : [`granted:\n  ${granted.join("\n  ")}`]),
  ];
  const text = parts.length === 0 ? "up to date" : parts.join("\n");
  return { exitCode: 0, data: { applied, granted }, text };
}

async function pendingOutcome(target: Target, { sql }: MigrateArguments): Promise<Outcome> {
  const { pool, connectionString, collections, roles } = target;
  const steps = await planMigration(pool, collections);
  const bullmq = await bullmqMigrationSql(connectionString);
  // Before the migrations there is nothing yet that could be granted: all of it is to be done.
  const faults = steps.length > 0 ? roles.map(nothingGranted) : await readRoleFaults(pool, roles);
  if (sql) {
    const data = [
      ...steps,
      ...(bullmq === null ? [] : [{ name: "schema bullmq", sql: bullmq }]),
      ...faults.map(({ role }) => ({ name: `grants to ${role.name} (${role.kind})`, sql: grantSql(role) })),
    ];
    return { exitCode: 0, data, text: script(steps, data.slice(steps.length)) };
  }
  const pending = [
    ...steps.map((step) => step.name),
    ...(bullmq === null ? [] : ["schema bullmq"]),
    ...faults.map(({ role }) => `grants to ${role.name}`),
  ];
  const text = pending.length === 0 ? "up to date" : [...pending, ...faults.flatMap(described)].join("\n");
  return { exitCode: pending.length === 0 ? 0 : 1, data: { pending, roles: faults }, text };
}

function nothingGranted(role: GrantedRole): RoleFault {
  return { role, missing: [], excess: null };
}

function described({ role, missing, excess }: RoleFault): string[] {
  return [...(excess === null ? [] : [`role ${role.name} ${excess}`]), ...missing];
}

/** Medley's own steps need a transaction around them: they set where types are looked for. */
function script(steps: readonly MigrationStep[], others: readonly MigrationStep[]): string {
  const textOf = (step: MigrationStep) => `-- ${step.name}\n${step.sql}`;
  const own = steps.length === 0 ? [] : ["begin;", ...steps.map(textOf), "commit;"];
  return [...own, ...others.map(textOf)].join("\n\n");
}
