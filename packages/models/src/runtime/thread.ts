import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { MedleyError } from "@medley/core";
import { NativeGate, type ThreadData } from "./native-gate.ts";
import type { Answers, Job, Reply, Request } from "./protocol.ts";

/** The thread ended while it had work: the same work may succeed on another. */
export class ThreadLost extends Error {}

/** Whether work failed because the threads that did it ended: it may be the work that ended them. */
export function isThreadLoss(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof ThreadLost;
}

/** One session thread: sends it jobs, which it does in order, and tells when it ends. */
export class SessionThread {
  readonly #worker: Worker;
  readonly #gate = new NativeGate();
  readonly #pending = new Map<number, PromiseWithResolvers<Answers[Job["kind"]]>>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  #idle: PromiseWithResolvers<void> | undefined;
  #alive = true;
  #nextId = 0;
  #cause = "it exited";

  constructor(program: URL) {
    // No execArgv: flags of the main program (a test runner's loaders) are not the thread's.
    this.#worker = new Worker(program, {
      name: "medley-model",
      execArgv: [],
      workerData: { gate: this.#gate.memory } satisfies ThreadData,
    });
    this.#worker.on("message", (reply: Reply) => this.#settle(reply));
    this.#worker.on("error", (error) => {
      this.#cause = error.message;
    });
    this.#worker.on("exit", () => {
      this.#end();
      this.#exited.resolve();
    });
  }

  get alive(): boolean {
    return this.#alive;
  }
  get idle(): boolean {
    return this.#alive && this.#pending.size === 0;
  }
  /** Resolves when the thread takes and answers nothing more, for whatever reason. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * Resolves when the thread is gone and its memory free, after `msMax` at the latest. One that hangs in native code ends
   * only when that returns, if ever: it is left behind, and does not keep the process alive.
   */
  async exited(msMax: number): Promise<void> {
    const giveUp = new AbortController();
    const late = sleep(msMax, undefined, { signal: giveUp.signal }).then(
      () => this.#worker.unref(),
      () => {},
    );
    await Promise.race([this.#exited.promise, late]);
    giveUp.abort();
  }

  /** Resolves when all that was asked is answered, or the thread has ended. */
  async whenIdle(): Promise<void> {
    if (this.#pending.size === 0) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }

  /** Rejects with the job's `MedleyError`, or with `ThreadLost`. The job is copied: it is needed again if the thread is lost. */
  async ask<Kind extends Job["kind"]>(job: Extract<Job, { kind: Kind }>): Promise<Answers[Kind]> {
    if (!this.#alive) throw new ThreadLost(this.#cause);
    const id = this.#nextId++;
    const answer = Promise.withResolvers<Answers[Job["kind"]]>();
    this.#pending.set(id, answer);
    this.#worker.postMessage({ id, job } satisfies Request);
    return (await answer.promise) as Answers[Kind];
  }

  /** Ends the thread, for the reason given: now, or when it comes back from native code. Its work is lost at once. */
  terminate(reason = "it was ended"): void {
    if (!this.#alive) return;
    this.#cause = reason;
    if (this.#gate.close()) void this.#worker.terminate();
    this.#end();
  }

  #settle(reply: Reply): void {
    const answer = this.#pending.get(reply.id);
    if (answer === undefined && !this.#alive) return; // Answered while it was being ended.
    assert(answer !== undefined, "a reply to a job that is not pending");
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#idle?.resolve();
    if (reply.ok) answer.resolve(reply.value);
    else {
      const { code, message, mend } = reply.failure;
      answer.reject(new MedleyError(code, message, mend === undefined ? {} : { mend }));
    }
  }

  #end(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const answer of this.#pending.values()) answer.reject(new ThreadLost(this.#cause));
    this.#pending.clear();
    this.#idle?.resolve();
    this.#ended.resolve();
  }
}
