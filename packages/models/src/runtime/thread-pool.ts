import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError } from "@medley/core";
import type { Model } from "../artefact/model.ts";
import type { Answers, Job } from "./protocol.ts";
import { SessionThread, ThreadLost } from "./thread.ts";

type WorkKind = Exclude<Job["kind"], "open">;

/** What goes first: a search waits for nothing but the batches that run; preparing feeds the other threads. */
const turns: readonly WorkKind[] = ["query", "prepare", "run"];

interface Waiting {
  readonly job: Extract<Job, { kind: WorkKind }>;
  readonly answer: PromiseWithResolvers<Answers[WorkKind]>;
  lostThreads: number;
}

/** A thread that takes a job down twice is not given it a third time. */
const lostThreadsMax = 2;
/** Wait before a thread is tried again that ended before it was ready. */
const restartDelayMs = 1_000;

/**
 * `threads` session threads over one queue.
 *
 * States: open -> closing (no new work, the queue drains) -> closed. A slot's thread is starting, ready or, after
 * it failed to start, down until it is tried again. A thread that ends is replaced at once and its job goes to
 * the front of the queue, once; then it fails with `encoder_unavailable`. While every slot is down, all work fails
 * so. Bound: at most `jobsMax` jobs wait; callers bound themselves below it (see `Admission`), so more is a bug.
 */
export class ThreadPool {
  readonly #program: URL;
  readonly #slots: (SessionThread | undefined)[];
  readonly #ready = new Set<SessionThread>();
  readonly #models = new Map<string, Model>();
  readonly #queues: Record<WorkKind, Waiting[]> = { query: [], prepare: [], run: [] };
  readonly #jobsMax: number;
  readonly #stop = new AbortController();
  readonly #keepers: Promise<void>[] = [];
  #opening: Promise<void> = Promise.resolve();
  #working = 0;
  #drained: PromiseWithResolvers<void> | undefined;
  #lastFault = "its threads did not start";

  constructor(options: { threads: number; jobsMax: number; program: URL }) {
    assert(Number.isSafeInteger(options.threads) && options.threads > 0, "threads is a positive integer");
    this.#program = options.program;
    this.#jobsMax = options.jobsMax;
    this.#slots = new Array(options.threads).fill(undefined);
  }

  get threads(): number {
    return this.#slots.length;
  }

  /**
   * Loads a model into every thread, one model at a time; the first starts the threads. Rejects with what the
   * loading threw; the model is then not kept.
   */
  open(model: Model): Promise<void> {
    const opening = this.#opening.then(() => this.#open(model));
    this.#opening = opening.catch(() => {});
    return opening;
  }

  async #open(model: Model): Promise<void> {
    if (this.#drained) throw closed();
    assert(!this.#models.has(model.identity), "a model is opened once");
    this.#models.set(model.identity, model);
    try {
      if (this.#keepers.length === 0) await this.#start();
      // Starting threads too: they took the list of models as it was when they began.
      else for (const thread of this.#slots) await thread?.ask({ kind: "open", model });
    } catch (error) {
      this.#models.delete(model.identity);
      if (error instanceof ThreadLost) throw unavailable(error.message);
      throw error;
    }
  }

  /** Rejects with the job's `MedleyError`, with `encoder_unavailable`, or with the signal's reason while it waits. */
  async run<Kind extends WorkKind>(
    job: Extract<Job, { kind: Kind }>,
    signal?: AbortSignal,
  ): Promise<Answers[Kind]> {
    if (this.#drained) throw closed();
    if (this.#slots.every((thread) => thread === undefined)) throw unavailable(this.#lastFault);
    signal?.throwIfAborted();
    assert(this.waiting < this.#jobsMax, "more jobs wait than were admitted");
    const waiting = { job, answer: Promise.withResolvers(), lostThreads: 0 } as Waiting;
    const queue = this.#queues[waiting.job.kind];
    queue.push(waiting);
    const leave = () => {
      const place = queue.indexOf(waiting);
      if (place < 0) return; // It runs already: its answer is dropped by the caller.
      queue.splice(place, 1);
      waiting.answer.reject(signal?.reason);
    };
    signal?.addEventListener("abort", leave, { once: true });
    this.#dispatch();
    try {
      return (await waiting.answer.promise) as Answers[Kind];
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  get waiting(): number {
    return turns.reduce((sum, kind) => sum + this.#queues[kind].length, 0);
  }

  /** Ends the threads when the queue is empty and the last job done. */
  async close(): Promise<void> {
    this.#drained ??= Promise.withResolvers<void>();
    this.#dispatch();
    await Promise.all([this.#opening, this.#drained.promise]);
    this.#stop.abort();
    await Promise.all(this.#slots.map((thread) => thread?.terminate()));
    await Promise.all(this.#keepers);
  }

  /** One thread after the other: loading a model takes three times the memory that it keeps. */
  async #start(): Promise<void> {
    try {
      for (const slot of this.#slots.keys()) await this.#spawn(slot);
    } catch (error) {
      await Promise.all(this.#slots.map((thread) => thread?.terminate()));
      this.#slots.fill(undefined);
      this.#ready.clear();
      throw error;
    }
    for (const slot of this.#slots.keys()) this.#keepers.push(this.#keep(slot));
  }

  async #spawn(slot: number): Promise<void> {
    const thread = new SessionThread(this.#program);
    this.#slots[slot] = thread;
    await thread.open(this.#models.values());
    this.#ready.add(thread);
    this.#dispatch();
  }

  /** Replaces the slot's thread whenever it ends, until the pool closes. */
  async #keep(slot: number): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const thread = this.#slots[slot];
      await thread?.ended;
      if (thread !== undefined) this.#ready.delete(thread);
      if (signal.aborted) return;
      try {
        await this.#spawn(slot);
      } catch (error) {
        this.#lastFault = (error as Error).message;
        await this.#slots[slot]?.terminate();
        this.#slots[slot] = undefined;
        this.#failAllIfDown();
        await sleep(restartDelayMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  #dispatch(): void {
    for (const thread of this.#ready) {
      if (!thread.idle) continue;
      const next = turns
        .map((kind) => this.#queues[kind])
        .find((queue) => queue.length > 0)
        ?.shift();
      if (next === undefined) break;
      void this.#work(thread, next);
    }
    if (this.waiting === 0 && this.#working === 0) this.#drained?.resolve();
  }

  async #work(thread: SessionThread, waiting: Waiting): Promise<void> {
    this.#working++;
    try {
      waiting.answer.resolve((await thread.ask(waiting.job)) as Answers[WorkKind]);
    } catch (error) {
      if (!(error instanceof ThreadLost)) waiting.answer.reject(error);
      else if (++waiting.lostThreads >= lostThreadsMax) waiting.answer.reject(unavailable(error.message));
      else this.#queues[waiting.job.kind].unshift(waiting);
      this.#failAllIfDown();
    } finally {
      this.#working--;
    }
    this.#dispatch();
  }

  #failAllIfDown(): void {
    if (this.#slots.some((thread) => thread !== undefined)) return;
    for (const kind of turns) {
      for (const { answer } of this.#queues[kind].splice(0)) answer.reject(unavailable(this.#lastFault));
    }
    this.#dispatch();
  }
}

function unavailable(fault: string): MedleyError {
  return new MedleyError("encoder_unavailable", `the model's threads could not run it: ${fault}`, {
    mend: "try again; if it stays, give the process more memory or fewer threads",
  });
}

function closed(): MedleyError {
  return new MedleyError("encoder_unavailable", "the model runtime is closed");
}
