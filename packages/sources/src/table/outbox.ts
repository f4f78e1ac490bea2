import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import type pg from "pg";
import { dropOutboxSql, type Outbox, outboxOf, uninstallSql } from "./outbox-ddl.ts";
import { conditionFaultOf, queryText } from "./table-database.ts";
import type { TablePlan } from "./table-plan.ts";

type Client = Pick<pg.Client, "query">;

/**
 * `installed`: changes of the table are told; `outdated`: by triggers of another configuration, or one of them is off or
 * gone; `missing`: there are none; `impossible`: it is a view.
 */
export type OutboxState = "installed" | "outdated" | "missing" | "impossible";

export interface OutboxStatus {
  readonly state: OutboxState;
  /** Changes not yet relayed, counted up to `waitingMax`. */
  readonly waiting: number;
  /** Since the transaction of the oldest of them began; 0 where there is none. */
  readonly oldestAgeMs: number;
}

/** As one operation the rest can't see half of; a table in use is not waited for longer than this. */
const lockMsMax = 5_000;
export const waitingMax = 100_000;
// Any number, the same in all processes that install.
const installLock = 7_305_815;

/** Whether there is an outbox in the database that this role may use. */
async function canRead(client: Client): Promise<boolean> {
  const [row] = await queryText(client, {
    text: `select (case when exists (select from pg_catalog.pg_namespace where nspname = 'medley_outbox')
  then pg_catalog.has_schema_privilege('medley_outbox', 'usage') else false end)::text`,
    values: [],
  });
  return row?.[0] === "true";
}

export async function readOutboxStatus(
  client: Client,
  plan: TablePlan,
  deployment: string,
): Promise<OutboxStatus> {
  const none = { waiting: 0, oldestAgeMs: 0 };
  if (plan.shape.kind === "view") return { state: "impossible", ...none };
  if (!(await canRead(client))) return { state: "missing", ...none };
  // The role's name is no part of the signature.
  const outbox = outboxOf(plan, { deployment, role: "" });
  const state = await installedState(client, plan, outbox);
  if (state === "missing") return { state, ...none };
  const [row] = await queryText(client, {
    text: `select count(*)::text, (coalesce(extract(epoch from now() - min(changed_at)), 0) * 1000)::bigint::text
from (select changed_at from medley_outbox.change where source_id = $1 order by position limit ${waitingMax}) as waiting`,
    values: [outbox.sourceId],
  });
  const [waiting, oldestAgeMs] = row as [string, string];
  return { state, waiting: Number(waiting), oldestAgeMs: Math.max(0, Number(oldestAgeMs)) };
}

async function installedState(
  client: Client,
  plan: TablePlan,
  { sourceId, signature, triggers }: Outbox,
): Promise<"installed" | "outdated" | "missing"> {
  const [row] = await queryText(client, {
    text: `select signature, (select count(*) from pg_catalog.pg_trigger
  where tgrelid = $2::oid and tgname = any ($3::text[]) and tgenabled in ('O', 'A'))::text
from medley_outbox.source where source_id = $1`,
    values: [sourceId, plan.shape.oid, triggers],
  });
  if (row === undefined) return "missing";
  return row[0] === signature && Number(row[1]) === triggers.length ? "installed" : "outdated";
}

/** Throws `MedleyError` `outbox_behind` where changes of the table are not told as the configuration says. */
export async function requireOutbox(client: Client, plan: TablePlan, deployment: string): Promise<Outbox> {
  const { state } = await readOutboxStatus(client, plan, deployment);
  if (state === "installed") return outboxOf(plan, { deployment, role: "" });
  const what = {
    missing: `table ${plan.name} tells nobody of its changes`,
    outdated: `the triggers on ${plan.name} are those of another configuration, or one of them is off or gone`,
    impossible: `${plan.name} is a view: Postgres runs no triggers for changes below it`,
  }[state];
  const mend =
    state === "impossible"
      ? "set changes: false to backfill it only, or name the tables below it"
      : `run: medley sources install (or give its --sql to whoever may); changes: false leaves it at backfills`;
  throw new MedleyError("outbox_behind", `collection ${plan.collection.name}: ${what}`, { mend });
}

/** The statements of `install`, for an administrator: as one transaction. */
export function installScript({ install, name }: Outbox): string {
  return `-- ${name}\nbegin;\nset local lock_timeout = '${lockMsMax}ms';\n${install}\ncommit;`;
}

/**
 * Makes the triggers of one source, or brings them up to date; the same again changes nothing. Waits for transactions that have
 * written the table, so that each one is either wholly before the triggers or told by them. Throws `source_unavailable`
 * where the table stays locked, `source_mismatch` where the role may not.
 */
export async function installOutbox(client: pg.Client, plan: TablePlan, deployment: string): Promise<void> {
  assert(plan.shape.kind === "table", "views have no triggers");
  const [row] = await queryText(client, { text: "select current_user", values: [] });
  const outbox = outboxOf(plan, { deployment, role: row?.[0] as string });
  await inTransaction(client, outbox.install);
}

/** Also of a source that is no longer configured; with the last one the schema goes. What waits in the outbox is dropped. */
export async function uninstallOutbox(client: pg.Client, sourceId: string): Promise<void> {
  const [row] = await queryText(client, {
    text: "select (select count(*) from medley_outbox.source where source_id <> $1)::text",
    values: [sourceId],
  });
  const statements = uninstallSql(sourceId);
  await inTransaction(client, row?.[0] === "0" ? `${statements}\n${dropOutboxSql}` : statements);
}

async function inTransaction(client: pg.Client, statements: string): Promise<void> {
  try {
    await client.query(
      `begin;\nset local lock_timeout = ${lockMsMax};\nselect pg_catalog.pg_advisory_xact_lock(${installLock});\n${statements}\ncommit;`,
    );
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw conditionFaultOf(error);
  }
}

export interface InstalledSource {
  readonly sourceId: string;
  /** `medley.places.public.products`. */
  readonly name: string;
}

/** All that this deployment has installed in the database, also what is no longer configured. */
export async function listInstalled(client: Client, deployment: string): Promise<readonly InstalledSource[]> {
  if (!(await canRead(client))) return [];
  const rows = await queryText(client, {
    text: "select source_id::text, name from medley_outbox.source where starts_with(name, $1) order by name",
    values: [`${deployment}.`],
  });
  return (rows as [string, string][]).map(([sourceId, name]) => ({ sourceId, name }));
}

/**
 * A version above all that were given before, in this database's time. It has committed when it is returned: what is read
 * after that, and only that, may be sent with it.
 */
export async function nextVersion(client: Client): Promise<bigint> {
  const [row] = await queryText(client, { text: "select medley_outbox.next_version()::text", values: [] });
  return BigInt(row?.[0] as string);
}

/** Of a backfill: where there is no outbox, the same time without its memory, so that one installed later gives higher ones. */
export async function snapshotVersion(client: Client): Promise<bigint> {
  if (await canRead(client)) return nextVersion(client);
  const [row] = await queryText(client, {
    text: "select ((extract(epoch from clock_timestamp()) * 1000)::bigint << 20)::text",
    values: [],
  });
  return BigInt(row?.[0] as string);
}
