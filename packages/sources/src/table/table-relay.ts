import { setTimeout as sleep } from "node:timers/promises";
import { type Collection, MedleyError, opKey, type TableSource } from "@medley/core";
import type pg from "pg";
import { nextVersion, requireOutbox } from "./outbox.ts";
import { outboxChannel } from "./outbox-ddl.ts";
import { type RowState, readRows } from "./row-reader.ts";
import { connect, faultOf, queryText, type TableDatabaseOptions } from "./table-database.ts";
import { idOfKey, type TablePlan } from "./table-plan.ts";
import type { Key, PageLimits } from "./table-query.ts";
import { planOf } from "./table-source.ts";

/** States of rows, read after `version` was given. */
export interface ChangeBatch {
  readonly version: bigint;
  /** `public.products`. */
  readonly table: string;
  /** As they came, for the check against the collection: upserts and deletes, each id once. */
  readonly records: readonly Record<string, unknown>[];
  /** `reason` holds nothing of the row. */
  readonly unreadable: readonly { readonly id: string; readonly reason: string }[];
}

export interface TableRelayOptions extends TableDatabaseOptions {
  readonly collection: Collection;
  readonly source: TableSource;
  /** What the outbox was installed for. */
  readonly deployment: string;
  /**
   * Resolves when the batch is durable. A rejection means: again later; `overloaded` is no fault, only a reason to wait.
   * Called with one batch at a time.
   */
  readonly deliver: (batch: ChangeBatch) => Promise<void>;
  /** Faults that are being got over. */
  readonly onFault: (fault: Error) => void;
}

const changesMax = 500;
const rowLimits: PageLimits = { rowsMax: changesMax, bytesMax: 16_000_000 };
/** Of one batch: longer than this no lock is held, so that another relay, and vacuum, may go on. */
const holdMsMax = 30_000;
/** For what the server does not say: where notifications are off, lost, or not to be had (embedded). */
const pollIntervalMs = { heard: 2_000, unheard: 500 };
const fullPauseMs = 200;
const faultPauseMsMin = 200;
const faultPauseMsMax = 10_000;

interface Session extends AsyncDisposable {
  /** Holds the locks. */
  readonly work: pg.Client;
  /** Reads rows and versions, each statement by itself, and hears notifications. */
  readonly read: pg.Client;
  readonly plan: TablePlan;
  readonly sourceId: string;
}

/**
 * Throws `source_mismatch` or `outbox_behind` where it can't work. A database that does not answer is waited for, and so, where it is
 * Medley's own embedded one, are triggers: it can be reached only while Medley runs.
 */
export async function openRelay(options: TableRelayOptions): Promise<TableRelay> {
  try {
    const session = await openSession(options, () => {});
    await session[Symbol.asyncDispose]();
  } catch (error) {
    const fault = faultOf(error);
    const passes = fault instanceof MedleyError && (fault.retryable || options.embedded);
    if (!passes) throw fault;
  }
  return new TableRelay(options);
}

/**
 * Carries the changes of one table out of its outbox, in the order they came in as far as it goes. Any number of relays may
 * run for one source: what one has in hand is locked, and passed over by the others.
 *
 * States: connecting -> relaying <-> waiting (for a notification, or the next look); a fault in any of them -> pausing,
 * at most 10 seconds, -> connecting. `close` ends each after the batch in hand. Bounds: one batch of 500 changes and, unless
 * one row is larger, 16 MB of values. An outbox row is deleted in the transaction that locks it, after its batch is
 * durable: a relay that dies leaves it to the next one, at the price that a row may be sent twice.
 *
 * Why the newest state wins, whatever relays, backfills and writers do at the same time. An outbox row says only *that* a
 * row changed. Whoever sends a state of a row (relay, backfill) first gets a version from the outbox's clock, then reads
 * the row in a snapshot taken after that; a version that is asked for after another was returned is higher. Take the last change
 * of a row, visible from the moment c on together with its outbox row E. (1) Some relay sends E's row: it sees E, so after
 * c, then gets a version v, then reads, so it reads the final state. E goes only after that was durable. (2) Whoever read an older
 * state had a snapshot from before c, and its version before that snapshot: below v. (3) Whoever has a version above v got it
 * after c, so reads the final state. So the highest version sent comes with the final state, and the highest version is what
 * the store keeps. An order of commits is not needed: that a transaction is visible is all that counts, so values
 * taken in triggers, whose order is not that of commits, play no part. Deletes are the state "no row", and a key that changes is
 * a delete of the old one and a change of the new one.
 */
export class TableRelay {
  readonly #options: TableRelayOptions;
  readonly #running: Promise<void>;
  #nap = new AbortController();
  #isClosing = false;
  #session: Session | null = null;
  /** A delivery that was not waited for any longer: no other begins beside it. */
  #overdue: Promise<unknown> = Promise.resolve();

  constructor(options: TableRelayOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Finishes the batch in hand; after `graceMs` it is left to another relay. */
  async close({ graceMs }: { graceMs: number }): Promise<void> {
    this.#isClosing = true;
    this.#nap.abort();
    const timer = new AbortController();
    const expiry = sleep(graceMs, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([this.#running, expiry]);
    timer.abort();
    await this.#session?.[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#isClosing) {
      try {
        await using session = await openSession(this.#options, () => this.#nap.abort());
        this.#session = session;
        while (!this.#isClosing) {
          await this.#step(session);
          failures = 0;
        }
      } catch (error) {
        if (this.#isClosing) return;
        failures += 1;
        this.#options.onFault(toError(faultOf(error)));
        const pauseMs = Math.min(faultPauseMsMin * 2 ** (failures - 1), faultPauseMsMax);
        await this.#wait(pauseMs * (0.5 + Math.random() / 2));
      } finally {
        this.#session = null;
      }
    }
  }

  async #step(session: Session): Promise<void> {
    const { embedded, source } = this.#options;
    const outcome = await this.#relayBatch(session);
    if (outcome === "full") await this.#wait(fullPauseMs);
    if (outcome !== "empty") return;
    const isHeard = !embedded && source.notify !== false;
    await this.#wait(pollIntervalMs[isHeard ? "heard" : "unheard"]);
  }

  /** Until the time is over or somebody rings; a ring since the last wait counts. */
  async #wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#nap.signal }).catch(() => {});
    if (!this.#isClosing) this.#nap = new AbortController();
  }

  async #relayBatch(session: Session): Promise<"relayed" | "empty" | "full"> {
    const { work, sourceId } = session;
    await this.#overdue;
    // The embedded engine's clients are one session: an open transaction would stop the queue that is sent to. It has one relay.
    const isLocking = !this.#options.embedded;
    if (isLocking) await work.query(beginSql);
    try {
      const changes = await takeChanges(work, sourceId, isLocking);
      const isDelivered = changes.positions.length === 0 || (await this.#deliver(session, changes.keys));
      if (isDelivered && changes.positions.length > 0) {
        await work.query(
          "delete from medley_outbox.change where source_id = $1 and position = any ($2::int8[])",
          [sourceId, changes.positions],
        );
      }
      if (isLocking) await work.query(isDelivered ? "commit" : "rollback");
      if (!isDelivered) return "full";
      return changes.positions.length === 0 ? "empty" : "relayed";
    } catch (error) {
      if (isLocking) await work.query("rollback").catch(() => {});
      throw error;
    }
  }

  /** False: there is no room just now. */
  async #deliver({ read, plan }: Session, changed: readonly ChangedKey[]): Promise<boolean> {
    const version = await nextVersion(read);
    const deadlineMs = performance.now() + holdMsMax;
    for (let at = 0; at < changed.length; ) {
      const left = changed.slice(at);
      const states = await readRows(
        read,
        plan,
        left.map(({ key }) => key),
        rowLimits,
      );
      const batch = batchOf(plan, version, left.slice(0, states.length), states);
      if (!(await this.#deliverInTime(batch, deadlineMs))) return false;
      at += states.length;
    }
    return true;
  }

  async #deliverInTime(batch: ChangeBatch, deadlineMs: number): Promise<boolean> {
    const delivering = this.#options.deliver(batch).then(
      () => true,
      (error) => {
        if (error instanceof MedleyError && error.code === "overloaded") return false;
        throw error;
      },
    );
    const timer = new AbortController();
    const late = sleep(Math.max(0, deadlineMs - performance.now()), false, { signal: timer.signal }).catch(
      () => false,
    );
    try {
      return await Promise.race([delivering, late]);
    } finally {
      timer.abort();
      this.#overdue = delivering.catch(() => {});
    }
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

// The level is said: at a higher one all statements would see what the first one saw, and a row as it was before its version.
const beginSql = `begin isolation level read committed; set local idle_in_transaction_session_timeout = ${2 * holdMsMax}`;

async function openSession(options: TableRelayOptions, onChange: () => void): Promise<Session> {
  await using resources = new AsyncDisposableStack();
  const read = resources.adopt(await connect(options), (client) => client.end().catch(() => {}));
  const work = options.embedded
    ? read
    : resources.adopt(await connect(options), (client) => client.end().catch(() => {}));
  const plan = await planOf(read, options);
  const { sourceId } = await requireOutbox(read, plan, options.deployment);
  if (!options.embedded) {
    read.on("notification", ({ payload }) => {
      if (payload === sourceId) onChange();
    });
    await read.query(`listen ${outboxChannel}`);
  }
  const owned = resources.move();
  return { work, read, plan, sourceId, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface ChangedKey {
  readonly key: Key;
  /** Of collections whose records bring their versions: the highest that the row had when it changed. */
  readonly version: bigint | null;
}

async function takeChanges(
  work: pg.Client,
  sourceId: string,
  isLocking: boolean,
): Promise<{ positions: readonly string[]; keys: readonly ChangedKey[] }> {
  const rows = await queryText(work, {
    text: `select position::text, to_json(key)::text, version::text from medley_outbox.change
where source_id = $1 order by position limit ${changesMax}${isLocking ? " for update skip locked" : ""}`,
    values: [sourceId],
  });
  const byKey = new Map<string, ChangedKey>();
  for (const [, key, text] of rows as [string, string, string | null][]) {
    const version = text === null ? null : BigInt(text);
    const known = byKey.get(key)?.version ?? null;
    const highest = known !== null && version !== null && known > version ? known : version;
    byKey.set(key, { key: JSON.parse(key) as Key, version: highest });
  }
  return { positions: rows.map(([position]) => position as string), keys: [...byKey.values()] };
}

function batchOf(
  { collection, name }: TablePlan,
  version: bigint,
  changed: readonly ChangedKey[],
  states: readonly RowState[],
): ChangeBatch {
  const records: Record<string, unknown>[] = [];
  const unreadable: { id: string; reason: string }[] = [];
  for (const [index, state] of states.entries()) {
    const id = idOfKey(state.key);
    if (state.kind === "record") records.push(state.value);
    if (state.kind === "unreadable") unreadable.push({ id, reason: state.reason });
    if (state.kind !== "gone") continue;
    const { versionKey, idKey } = collection;
    const last = changed[index]?.version ?? 0n;
    const above = versionKey === null ? {} : { [versionKey]: String(last + 1n) };
    records.push({ [idKey]: id, ...above, [opKey]: "delete" });
  }
  return { version, table: name, records, unreadable };
}
