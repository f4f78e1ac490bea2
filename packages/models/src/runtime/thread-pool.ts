import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError } from "@medley/core";
import type { Model } from "../artefact/model.ts";
import type { Device } from "./device.ts";
import { Pace } from "./pace.ts";
import type { Answers, Job } from "./protocol.ts";
import { SessionThread, ThreadLost } from "./thread.ts";

type WorkKind = Exclude<Job["kind"], "start" | "open">;

/** What goes first: a search waits for nothing but the batches that run; preparing feeds the other threads. */
const turns: readonly WorkKind[] = ["query", "prepare", "run", "embed"];

interface Waiting {
  readonly job: Extract<Job, { kind: WorkKind }>;
  readonly answer: PromiseWithResolvers<Answers[WorkKind]>;
  lostThreads: number;
}

/** A place for a thread, and the models it holds or is to hold when it starts again. */
interface Slot {
  thread: SessionThread | undefined;
  ready: boolean;
  /** Resolves when the next thread was started, or could not be. */
  replaced: PromiseWithResolvers<void>;
  readonly models: Map<string, Model>;
}

/** A thread that a job takes down twice is not given it a third time. */
const lostThreadsMax = 2;
/** Wait before a thread is tried again that ended before it was ready. */
const restartDelayMs = 1_000;
/** What hangs in native code does not exit when asked to. */
const exitMsMax = 500;
/** The first run of a kind may compile shaders or page in weights. */
const firstRunMsMax = 60_000;

export interface ThreadPoolOptions {
  readonly threads: number;
  readonly jobsMax: number;
  readonly program: URL;
  readonly device?: Device;
  /** Of all models in all threads together; the first copy of a model is always loaded. Default: no bound. */
  readonly memoryBytesMax?: number;
}

/**
 * `threads` session threads over one queue.
 *
 * States: open -> closing (no new work, the queue drains) -> closed. A slot's thread is starting, ready or, after
 * it failed to start, down until it is tried again. A thread that ends, or that answers so late that it must hang (see
 * `Pace`), is replaced at once and its job goes to the front of the queue, once; then it fails with
 * `encoder_unavailable`, caused by `ThreadLost`. While every slot that holds a model is down, all its work fails so.
 *
 * A model is loaded into every thread while their memory is within `memoryBytesMax`, and into fewer when it is not: a
 * thread takes the first job whose model it holds. Bound: at most `jobsMax` jobs wait; callers bound themselves below
 * it (see `Admission`), so more is a bug.
 */
export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #slots: readonly Slot[];
  /** By identity: what one copy takes. */
  readonly #memoryBytes = new Map<string, number>();
  readonly #queues: Record<WorkKind, Waiting[]> = { query: [], prepare: [], run: [], embed: [] };
  readonly #pace = new Pace({ firstMsMax: firstRunMsMax });
  readonly #stop = new AbortController();
  readonly #keepers: Promise<void>[] = [];
  #opening: Promise<void> = Promise.resolve();
  #working = 0;
  #drained: PromiseWithResolvers<void> | undefined;
  #lastFault = "its threads did not start";

  constructor(options: ThreadPoolOptions) {
    assert(Number.isSafeInteger(options.threads) && options.threads > 0, "threads is a positive integer");
    this.#options = options;
    this.#slots = Array.from({ length: options.threads }, () => ({
      thread: undefined,
      ready: false,
      replaced: Promise.withResolvers(),
      models: new Map(),
    }));
  }

  get threads(): number {
    return this.#slots.length;
  }

  /** How many threads hold the model, whether they run just now or not. */
  threadsWith(identity: string): number {
    return this.#slots.filter(({ models }) => models.has(identity)).length;
  }

  /**
   * Loads a model, one model at a time; the first starts the threads. Rejects with what the loading threw; the model is
   * then not kept.
   */
  open(model: Model): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#drained) throw closed();
      assert(this.threadsWith(model.identity) === 0, "a model is opened once");
      try {
        if (this.#keepers.length === 0) await this.#startThreads();
        await this.#load(model);
      } catch (error) {
        for (const { models } of this.#slots) models.delete(model.identity);
        this.#memoryBytes.delete(model.identity);
        if (error instanceof ThreadLost) throw unavailable(error);
        throw error;
      }
    });
  }

  /** Frees a model's memory, which only a thread's end does: those that hold it are replaced, one after the other. */
  unload(identity: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#memoryBytes.delete(identity);
      this.#pace.forget(identity);
      for (const slot of this.#slots) {
        if (!slot.models.delete(identity)) continue;
        this.#failWhatIsDown();
        const { thread, replaced } = slot;
        if (thread === undefined) continue;
        slot.ready = false; // Takes no more work.
        await thread.whenIdle();
        thread.terminate();
        await replaced.promise;
      }
    });
  }

  /** Rejects with the job's `MedleyError`, with `encoder_unavailable`, or with the signal's reason while it waits. */
  async run<Kind extends WorkKind>(
    job: Extract<Job, { kind: Kind }>,
    signal?: AbortSignal,
  ): Promise<Answers[Kind]> {
    if (this.#drained) throw closed();
    const waiting = { job, answer: Promise.withResolvers(), lostThreads: 0 } as Waiting;
    if (this.#isDown(waiting.job.model)) throw unavailable(this.#lastFault);
    signal?.throwIfAborted();
    assert(this.waiting < this.#options.jobsMax, "more jobs wait than were admitted");
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
    for (const { thread } of this.#slots) thread?.terminate();
    await Promise.all(this.#keepers);
    await Promise.all(this.#slots.map(({ thread }) => thread?.exited(exitMsMax)));
  }

  #isDown(identity: string): boolean {
    return this.#slots.every(({ thread, models }) => thread === undefined || !models.has(identity));
  }

  /** One after the other: loading a model takes three times the memory that it keeps. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#opening.then(work);
    this.#opening = turn.catch(() => {});
    return turn;
  }

  async #startThreads(): Promise<void> {
    try {
      for (const slot of this.#slots) await this.#spawn(slot);
    } catch (error) {
      for (const slot of this.#slots) this.#drop(slot);
      throw error;
    }
    for (const slot of this.#slots) this.#keepers.push(this.#keep(slot));
  }

  async #load(model: Model): Promise<void> {
    const { device = "cpu", memoryBytesMax = Number.POSITIVE_INFINITY } = this.#options;
    const emptiestFirst = this.#slots.toSorted((a, b) => this.#bytesOf(a) - this.#bytesOf(b));
    for (const [copies, slot] of emptiestFirst.entries()) {
      const bytes = this.#memoryBytes.get(model.identity) ?? 0;
      const total = this.#slots.reduce((sum, each) => sum + this.#bytesOf(each), 0);
      if (copies > 0 && total + bytes > memoryBytesMax) return;
      if (slot.thread === undefined) continue; // Down: others do its work.
      const before = process.memoryUsage.rss();
      await slot.thread.ask({ kind: "open", model, device });
      // With what loading left behind, so rather too much; what is given back meanwhile may make it 0.
      if (copies === 0)
        this.#memoryBytes.set(model.identity, Math.max(0, process.memoryUsage.rss() - before));
      slot.models.set(model.identity, model);
      this.#dispatch();
    }
    if (this.threadsWith(model.identity) === 0) throw unavailable(this.#lastFault);
  }

  #bytesOf(slot: Slot): number {
    return slot.models.keys().reduce((sum, identity) => sum + (this.#memoryBytes.get(identity) ?? 0), 0);
  }

  async #spawn(slot: Slot): Promise<void> {
    const { program, device = "cpu" } = this.#options;
    const thread = new SessionThread(program);
    slot.thread = thread;
    slot.ready = false;
    try {
      await thread.ask({ kind: "start" });
      for (const model of slot.models.values()) await thread.ask({ kind: "open", model, device });
    } catch (error) {
      this.#drop(slot);
      throw error;
    }
    slot.ready = true;
    this.#dispatch();
  }

  #announce(slot: Slot): void {
    slot.replaced.resolve();
    slot.replaced = Promise.withResolvers();
  }

  #drop(slot: Slot): void {
    slot.thread?.terminate();
    slot.thread = undefined;
    slot.ready = false;
  }

  /** Replaces the slot's thread whenever it ends, until the pool closes. */
  async #keep(slot: Slot): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await slot.thread?.ended;
      slot.ready = false;
      await slot.thread?.exited(exitMsMax); // Two copies of a model at once may be more than there is room for.
      if (signal.aborted) return;
      try {
        await this.#spawn(slot);
        this.#announce(slot);
      } catch (error) {
        this.#lastFault = (error as Error).message;
        this.#failWhatIsDown();
        this.#announce(slot);
        await sleep(restartDelayMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  #dispatch(): void {
    for (const slot of this.#slots) {
      if (!slot.ready || !slot.thread?.idle) continue;
      const next = this.#take(slot);
      if (next !== undefined) void this.#work(slot.thread, next);
    }
    if (this.waiting === 0 && this.#working === 0) this.#drained?.resolve();
  }

  /** The first job that the slot's models can do. */
  #take({ models }: Slot): Waiting | undefined {
    for (const kind of turns) {
      const queue = this.#queues[kind];
      const place = queue.findIndex(({ job }) => models.has(job.model));
      if (place >= 0) return queue.splice(place, 1)[0];
    }
    return undefined;
  }

  async #work(thread: SessionThread, waiting: Waiting): Promise<void> {
    this.#working++;
    const { job } = waiting;
    const kind = `${job.model} ${job.kind}`;
    const startedMs = performance.now();
    const hangMs = this.#pace.hangMs(kind, unitsOf(job));
    const hung = setTimeout(() => {
      this.#pace.hung(kind);
      thread.terminate(`it gave no answer for ${Math.round(hangMs)} ms`);
    }, hangMs);
    try {
      waiting.answer.resolve((await thread.ask(job)) as Answers[WorkKind]);
      this.#pace.observe(kind, unitsOf(job), performance.now() - startedMs);
    } catch (error) {
      if (!(error instanceof ThreadLost)) waiting.answer.reject(error);
      else if (++waiting.lostThreads >= lostThreadsMax) waiting.answer.reject(unavailable(error));
      else this.#queues[job.kind].unshift(waiting);
      this.#failWhatIsDown();
    } finally {
      clearTimeout(hung);
      this.#working--;
    }
    this.#dispatch();
  }

  /** Work of models that no thread holds any more, or whose threads can't be started, does not wait for them. */
  #failWhatIsDown(): void {
    for (const kind of turns) {
      const queue = this.#queues[kind];
      const hopeless = queue.filter(({ job }) => this.#isDown(job.model));
      for (const waiting of hopeless) {
        queue.splice(queue.indexOf(waiting), 1);
        waiting.answer.reject(unavailable(this.#lastFault));
      }
    }
    this.#dispatch();
  }
}

/** What a job's time grows with. */
function unitsOf(job: Waiting["job"]): number {
  if (job.kind === "query" || job.kind === "embed") return 1;
  return job.kind === "prepare" ? Math.max(1, job.inputs.length) : job.rows.values.length;
}

function unavailable(fault: string | ThreadLost): MedleyError {
  const reason = fault instanceof ThreadLost ? fault.message : fault;
  return new MedleyError("encoder_unavailable", `the model's threads could not run it: ${reason}`, {
    mend: "try again; if it stays, give the process more memory or fewer threads",
    ...(fault instanceof ThreadLost ? { cause: fault } : {}),
  });
}

function closed(): MedleyError {
  return new MedleyError("encoder_unavailable", "the model runtime is closed");
}
