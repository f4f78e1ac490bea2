import { createHash } from "node:crypto";
import type { RowValue } from "@medley/core";
import pg from "pg";
import { conditionSql, type TablePlan } from "./table-plan.ts";
import type { TableColumn } from "./table-shape.ts";

const { escapeIdentifier, escapeLiteral } = pg;

export const outboxSchema = "medley_outbox";
/** The channel of all sources' notifications; the payload is the source's id. */
export const outboxChannel = "medley_outbox";

/** What Medley puts into the user's database for one source. */
export interface Outbox {
  /** `medley.places.public.products`: deployment, collection, table. */
  readonly name: string;
  /** 48 bits of the name's hash: short in every row of the outbox. */
  readonly sourceId: string;
  /** Names of the triggers on the table. */
  readonly triggers: readonly string[];
  /** Statements in order, of one transaction. */
  readonly install: string;
  /** Changes when what the triggers do would be another: what was installed with another one is out of date. */
  readonly signature: string;
}

/**
 * The statements for a plan. `deployment` tells several Medleys that read the same table apart; `role` is granted what the
 * relay needs.
 *
 * An outbox row holds a row's key and nothing of its content: the relay reads the row as it is then. So several changes of
 * one row cost one read, and a large one costs the transaction that makes it a few bytes.
 */
export function outboxOf(
  plan: TablePlan,
  { deployment, role }: { deployment: string; role: string },
): Outbox {
  const name = `${deployment}.${plan.collection.name}.${plan.name}`;
  const hash = createHash("sha256").update(name).digest();
  const sourceId = String(hash.readUIntBE(0, 6));
  const label = hash.toString("hex", 0, 6);
  const triggers = triggersOf(plan, label, sourceId);
  const capture = [functionSql(plan, label, sourceId), ...triggers.map(({ sql }) => sql)].join("\n");
  const signature = createHash("sha256").update(capture).digest("hex");
  return {
    name,
    sourceId,
    triggers: triggers.map(({ trigger }) => trigger),
    signature,
    install: [
      sharedSql,
      capture,
      `insert into medley_outbox.source (source_id, name, signature) values (${sourceId}, ${escapeLiteral(name)}, '${signature}')
on conflict (source_id) do update set signature = excluded.signature, installed_at = now();`,
      grantsSql(plan, role),
    ].join("\n"),
  };
}

/** The triggers go with their function, wherever their table is by now. */
export function uninstallSql(sourceId: string): string {
  const label = Number(sourceId).toString(16).padStart(12, "0");
  return [
    `drop function if exists ${captureName(label)}() cascade;`,
    `delete from medley_outbox.change where source_id = ${sourceId};`,
    `delete from medley_outbox.source where source_id = ${sourceId};`,
  ].join("\n");
}

export const dropOutboxSql = "drop schema medley_outbox cascade;";

function captureName(label: string): string {
  return `medley_outbox.capture_${label}`;
}

function triggerNames(label: string): string[] {
  return ["insert", "update", "delete", "truncate"].map((event) => `medley_${label}_${event}`);
}

/**
 * `clock` gives versions: milliseconds of the server in the high bits as Medley's own clock does (core's version.ts), never twice
 * and never back. It is a row rather than a sequence since a value must outlive a crash once it was used outside, which a
 * sequence's does not before its transaction has committed.
 */
const sharedSql = `create schema if not exists medley_outbox;
create table if not exists medley_outbox.source (
  source_id bigint primary key,
  name text not null unique,
  signature text not null,
  installed_at timestamptz not null default now()
);
create table if not exists medley_outbox.change (
  source_id bigint not null,
  position bigint generated always as identity,
  key text[] not null,
  version bigint,
  changed_at timestamptz not null default now(),
  primary key (source_id, position)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 100000);
create table if not exists medley_outbox.clock (
  only_row boolean primary key default true check (only_row),
  last bigint not null
) with (fillfactor = 10);
insert into medley_outbox.clock (last) values (0) on conflict do nothing;
create or replace function medley_outbox.next_version() returns bigint
language sql security definer set search_path = '' as $body$
  update medley_outbox.clock
  set last = greatest(last + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint << 20) returning last
$body$;
revoke execute on function medley_outbox.next_version() from public;`;

function grantsSql(plan: TablePlan, role: string): string {
  const to = escapeIdentifier(role);
  return [
    `grant usage on schema medley_outbox to ${to};`,
    `grant select on medley_outbox.source to ${to};`,
    // `for update` asks for the right to update.
    `grant select, update, delete on medley_outbox.change to ${to};`,
    `grant execute on function medley_outbox.next_version() to ${to};`,
    `grant usage on schema ${escapeIdentifier(plan.shape.schema)} to ${to};`,
    `grant select on ${plan.table} to ${to};`,
  ].join("\n");
}

/**
 * Runs as its owner, so that whoever may write the table need not be given the outbox; every name in it is qualified,
 * and its search_path is empty, so that the caller's can't lead it elsewhere.
 */
function functionSql(plan: TablePlan, label: string, sourceId: string): string {
  const counts = conditionSql(plan, "gone", ddlLiteral);
  const keyOf = (row: string) =>
    `array[${plan.key.map(({ name }) => `${row}.${escapeIdentifier(name)}::pg_catalog.text`).join(", ")}]`;
  const versionOf = (row: string) =>
    plan.version === null ? "null" : `${row}.${escapeIdentifier(plan.version.name)}::pg_catalog.int8`;
  const write = (row: string) =>
    `insert into medley_outbox.change (source_id, key, version) values (${sourceId}, ${keyOf(row)}, ${versionOf(row)});`;
  const isOtherKey = plan.key.map((column) => differsSql(column)).join(" or ");
  const notify =
    plan.source.notify === false
      ? ""
      : `\n  perform pg_catalog.pg_notify('${outboxChannel}', '${sourceId}');`;
  return `create or replace function ${captureName(label)}() returns trigger
language plpgsql security definer set search_path = '' as $body$
begin
  if tg_op = 'TRUNCATE' then
    insert into medley_outbox.change (source_id, key, version) select ${sourceId}, ${keyOf("gone")}, ${versionOf("gone")} from ${plan.table} as gone${counts === "" ? "" : ` where ${counts}`};
  elsif tg_op = 'DELETE' then
    ${write("old")}
  else
    ${write("new")}
    if tg_op = 'UPDATE' then
      if ${isOtherKey} then
        ${write("old")}
      end if;
    end if;
  end if;${notify}
  return null;
end
$body$;
revoke execute on function ${captureName(label)}() from public;`;
}

/**
 * An update that changes no column of the record, and one of a row that the conditions let through neither before nor after,
 * does not call the function. `truncate` is told before it happens, while the keys can still be read.
 */
function triggersOf(plan: TablePlan, label: string, sourceId: string): { trigger: string; sql: string }[] {
  const counts = (row: string) => conditionSql(plan, row, ddlLiteral);
  const hasConditions = plan.conditions.length > 0;
  const changed = [...plan.key, ...plan.watched].map((column) => differsSql(column)).join(" or ");
  const when = {
    insert: counts("new"),
    update: hasConditions ? `(${changed}) and ((${counts("old")}) or (${counts("new")}))` : changed,
    delete: counts("old"),
  };
  const [insert, update, remove, truncate] = triggerNames(label) as [string, string, string, string];
  const trigger = (name: string, event: string, condition: string) => ({
    trigger: name,
    sql: `create or replace trigger ${name} after ${event} on ${plan.table} for each row${
      condition === "" ? "" : ` when (${condition})`
    } execute function ${captureName(label)}();`,
  });
  return [
    trigger(insert, "insert", when.insert),
    trigger(update, "update", when.update),
    trigger(remove, "delete", when.delete),
    {
      trigger: truncate,
      sql: `create or replace trigger ${truncate} before truncate on ${plan.table} for each statement execute function ${captureName(label)}();
comment on trigger ${insert} on ${plan.table} is 'Medley, source ${sourceId}: tells medley_outbox of changes. Remove with: medley sources uninstall';`,
    },
  ];
}

/** What is defined takes no parameters; the values are the configuration's. */
function ddlLiteral(value: RowValue, { type }: TableColumn): string {
  return `${escapeLiteral(String(value))}::${type}`;
}

/**
 * By bytes where `=` is too lenient (citext), missing (json, point) or an extension's, which a restore of a dump would not find.
 */
function differsSql({ name, exact }: TableColumn): string {
  const [before, after] = ["old", "new"].map((row) => `${row}.${escapeIdentifier(name)}`);
  if (exact) return `${before} is distinct from ${after}`;
  return `${before}::pg_catalog.text collate pg_catalog."C" is distinct from ${after}::pg_catalog.text collate pg_catalog."C"`;
}
