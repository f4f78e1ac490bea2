import { strict as assert } from "node:assert";
import {
  type ChunkRef,
  type DeadLetter,
  MedleyError,
  type OutcomeCounts,
  type Store,
  type StoredSegments,
  type VectorEnvelope,
  type WriteOutcome,
} from "@medley/core";
import { addOutcomes } from "@medley/pipeline";
import type { Answer, Life, Server } from "./host.ts";
import type { Judge } from "./judge.ts";
import { RowLocks, type Transaction, transaction } from "./row-locks.ts";
import type { World } from "./world.ts";

/** Where the store is not what it should be: what a mutation test takes away. */
export interface StoreRules {
  /** A row is written only where its version is above the stored one. */
  readonly versionGuard: boolean;
  /** Rows of a statement are locked in the order of their ids, not in that of the batch. */
  readonly sortsById: boolean;
  /** A delete stays as a row with its version. */
  readonly tombstones: boolean;
}

export const realRules: StoreRules = { versionGuard: true, sortsById: true, tombstones: true };

interface Row {
  readonly envelope: VectorEnvelope;
  readonly stored: StoredSegments;
}

export interface RunsOfStore {
  /** Chunks of the run that are known to be sent. */
  readRun(runId: string): Promise<number>;
  advanceRun(runId: string, chunksSent: number): Promise<void>;
}

/** Who is told of what is committed. */
export type StoreJudge = Pick<Judge, "wrote" | "lettered" | "chunkDone">;

export interface StoreOptions {
  readonly world: World;
  readonly judge: StoreJudge;
  /** From one row lock of a statement to the next, where others come in between. */
  readonly lockMs: number;
  readonly rules: StoreRules;
}

const otherStatementsBetweenLocks = 0.5;

/**
 * What `@medley/store` makes of Postgres, as statements at read committed: a snapshot when it begins, row locks one after the
 * other, and a commit that is one moment. `store-twin.test.ts` holds it to the real one.
 */
export class SimulatedStore implements Server {
  readonly name = "store";
  downUntilMs = 0;
  readonly #world: World;
  readonly #judge: StoreJudge;
  readonly #rules: StoreRules;
  readonly #lockMs: number;
  readonly #locks = new RowLocks();
  readonly #running = new Map<Transaction, (error: unknown) => void>();
  readonly rows = new Map<string, Row>();
  readonly letters = new Map<string, DeadLetter>();
  readonly chunks = new Map<string, OutcomeCounts>();
  /** Chunks sent, by run. */
  readonly runs = new Map<string, number>();
  deadlocks = 0;

  constructor({ world, judge, rules, lockMs }: StoreOptions) {
    this.#world = world;
    this.#judge = judge;
    this.#rules = rules;
    this.#lockMs = lockMs;
  }

  brokenOff(what: string): Error {
    return new MedleyError("store_unavailable", `the store did not answer (${what})`);
  }

  /** All transactions are rolled back, and nobody is answered for a while. */
  stop(durationMs: number): void {
    this.downUntilMs = this.#world.nowMs + durationMs;
    const running = [...this.#running];
    for (const [one] of running) one.aborted = true;
    for (const [one, fail] of running) {
      this.#end(one);
      fail(this.brokenOff("the server stopped"));
    }
  }

  /** The port, as a process has it. */
  openFor(life: Life): Store & RunsOfStore {
    return {
      readSegments: (_collection, ids) =>
        life.call(this, "read rows", ({ give }) => give(this.#readSegments(ids))),
      writeRows: (_collection, envelopes, chunk) =>
        life.call(this, "write rows", (answer) => this.#writeRows(life, envelopes, chunk, answer)),
      writeEvents: () => assert.fail("no producer sends events here"),
      addDeadLetters: (letters) =>
        life.call(this, "add dead letters", (answer) => this.#addDeadLetters(life, letters, answer)),
      readRun: (runId) => life.call(this, "read run", ({ give }) => give(this.runs.get(runId) ?? 0)),
      advanceRun: (runId, chunksSent) =>
        life.call(this, "advance run", ({ give }) => {
          this.runs.set(runId, chunksSent);
          give(undefined);
        }),
    };
  }

  rowOf(id: string): { version: bigint; op: string } | undefined {
    return this.rows.get(id)?.envelope;
  }

  #readSegments(ids: readonly string[]): ReadonlyMap<string, StoredSegments> {
    const found = new Map<string, StoredSegments>();
    for (const id of ids) {
      const row = this.rows.get(id);
      if (row !== undefined) found.set(id, row.stored);
    }
    return found;
  }

  #writeRows(
    life: Life,
    envelopes: readonly VectorEnvelope[],
    chunk: ChunkRef | null,
    answer: Answer<readonly WriteOutcome[]>,
  ): void {
    if (new Set(envelopes.map(({ id }) => id)).size < envelopes.length) {
      answer.refuse(new Error("assertion failed: an id occurs once"));
      return;
    }
    const unstorable = envelopes.some(({ fields }) => String(fields.body).includes("unstorable"));
    if (unstorable) {
      answer.refuse(new MedleyError("record_invalid", "Postgres refuses a value"));
      return;
    }
    // What other statements commit from here on is not in its snapshot.
    const snapshot = envelopes.map(({ id }) => this.rows.get(id)?.envelope);
    const inOrder = this.#rules.sortsById ? envelopes.toSorted((a, b) => (a.id < b.id ? -1 : 1)) : envelopes;
    const keys = inOrder.map(({ id }) => `row ${id}`);
    if (chunk !== null) keys.push(`chunk ${chunk.runId}-${chunk.chunk}`);
    this.#transact(`${life.host.name} writes`, keys, answer, () => {
      const outcomes = envelopes.map((envelope, at) => this.#write(envelope, snapshot[at]));
      if (chunk !== null) this.#settle(chunk, outcomes);
      return outcomes;
    });
  }

  #write(envelope: VectorEnvelope, before: VectorEnvelope | undefined): WriteOutcome {
    const { id, version, op, vector, segmentHashes } = envelope;
    const current = this.rows.get(id)?.envelope;
    const isNewer = current === undefined || version > current.version || !this.#rules.versionGuard;
    if (isNewer) {
      const deleted = op === "delete";
      if (deleted && !this.#rules.tombstones) this.rows.delete(id);
      else this.rows.set(id, { envelope, stored: { version, deleted, vector, segmentHashes } });
      this.#judge.wrote(envelope);
    }
    if (!isNewer && before?.version !== version) return "superseded";
    return (isNewer ? op : before?.op) === "delete" ? "tombstoned" : "indexed";
  }

  #settle(chunk: ChunkRef, outcomes: readonly WriteOutcome[]): void {
    const key = `${chunk.runId}-${chunk.chunk}`;
    if (this.chunks.has(key)) return;
    let counts = chunk.settled;
    for (const outcome of outcomes) counts = addOutcomes(counts, { [outcome]: 1 });
    this.chunks.set(key, counts);
    this.#judge.chunkDone(chunk, counts);
  }

  #addDeadLetters(life: Life, letters: readonly DeadLetter[], answer: Answer<void>): void {
    const once = new Map<string, DeadLetter>();
    for (const letter of letters) {
      const { recordId, version, stage, source } = letter;
      const key = `letter ${JSON.stringify([recordId, String(version), stage, source])}`;
      if (!once.has(key)) once.set(key, letter);
    }
    this.#transact(`${life.host.name} adds letters`, [...once.keys()], answer, () => {
      for (const [key, letter] of once) {
        this.letters.set(key, letter);
        this.#judge.lettered(letter);
      }
    });
  }

  /** Locks the keys in their order, then commits. */
  #transact<Value>(
    name: string,
    keys: readonly string[],
    { give, refuse }: Answer<Value>,
    commit: () => Value,
  ): void {
    const mine = transaction(name);
    this.#running.set(mine, refuse);
    let next = 0;
    const lockOthers = () => {
      while (!mine.aborted && next < keys.length) {
        const key = keys[next] as string;
        next += 1;
        let granted = false;
        let waited = false;
        const goes = this.#locks.acquire(mine, key, () => {
          granted = true;
          if (waited) lockOthers();
        });
        if (!goes) {
          this.#deadlock(mine, key, refuse);
          return;
        }
        if (!granted) {
          waited = true;
          return;
        }
        if (next < keys.length && this.#world.chance.happens(otherStatementsBetweenLocks)) {
          this.#world.after(this.#world.chance.latencyMs(this.#lockMs), null, lockOthers);
          return;
        }
      }
      if (mine.aborted) return;
      const value = commit();
      this.#world.note("store:", name, "commits", keys.join(" "));
      this.#end(mine);
      give(value);
    };
    lockOthers();
  }

  #deadlock(mine: Transaction, key: string, refuse: (error: unknown) => void): void {
    this.deadlocks += 1;
    this.#world.violate(
      "P6",
      `deadlock (40P01) of ${mine.name}: it holds ${[...mine.held].join(", ")} and waits for ${key}`,
    );
    this.#end(mine);
    refuse(this.brokenOff("deadlock detected"));
  }

  #end(mine: Transaction): void {
    this.#running.delete(mine);
    this.#locks.release(mine);
  }
}
