import { strict as assert } from "node:assert";
import { Worker } from "node:worker_threads";
import { MedleyError } from "@medley/core";
import type { Model } from "../artefact/model.ts";
import type { Answers, Job, Reply, Request } from "./protocol.ts";

/** The thread ended while it had work: the same work may succeed on another. */
export class ThreadLost extends Error {}

/** One session thread: sends it jobs, which it does in order, and tells when it ends. */
export class SessionThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, PromiseWithResolvers<Answers[Job["kind"]]>>();
  readonly #ended = Promise.withResolvers<void>();
  #alive = true;
  #nextId = 0;
  #cause = "it exited";

  constructor(program: URL) {
    // No execArgv: flags of the main program (a test runner's loaders) are not the thread's.
    this.#worker = new Worker(program, { name: "medley-model", execArgv: [] });
    this.#worker.on("message", (reply: Reply) => this.#settle(reply));
    this.#worker.on("error", (error) => {
      this.#cause = error.message;
    });
    this.#worker.on("exit", () => this.#end());
  }

  get alive(): boolean {
    return this.#alive;
  }
  get idle(): boolean {
    return this.#alive && this.#pending.size === 0;
  }
  /** Resolves when the thread has ended, for whatever reason. */
  get ended(): Promise<void> {
    return this.#ended.promise;
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

  async open(models: Iterable<Model>): Promise<void> {
    await Promise.all(Array.from(models, (model) => this.ask({ kind: "open", model })));
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(reply: Reply): void {
    const answer = this.#pending.get(reply.id);
    assert(answer !== undefined, "a reply to a job that is not pending");
    this.#pending.delete(reply.id);
    if (reply.ok) answer.resolve(reply.value);
    else {
      const { code, message, mend } = reply.failure;
      answer.reject(new MedleyError(code, message, mend === undefined ? {} : { mend }));
    }
  }

  #end(): void {
    this.#alive = false;
    for (const answer of this.#pending.values()) answer.reject(new ThreadLost(this.#cause));
    this.#pending.clear();
    this.#ended.resolve();
  }
}
