import { strict as assert } from "node:assert";
import { Worker } from "node:worker_threads";
import { Random } from "@medley/core";
import { Walker, type WalkGraph, type WalkOptions } from "./walks.ts";

/** What a thread is asked for: a walk from each of `starts`, which are the walks of these numbers from `first` on. */
export interface WalkJob {
  readonly starts: Uint32Array;
  readonly first: number;
}
/** What a thread is given once. */
export interface WalkThreadInput {
  readonly graph: WalkGraph;
  readonly options: WalkOptions;
}

export interface WalkPlan extends WalkOptions {
  readonly walksPerNode: number;
  /** 0: walks are drawn where they are asked for. */
  readonly threads: number;
}

/** Walks of a batch: 640 KB of walks of 20 nodes. */
export const batchWalksMax = 8192;

/**
 * `walksPerNode` walks from every node, in batches [up to `batchWalksMax`, length]: round after round, each in an order of its
 * own. The same for a seed, whatever the number of threads. At most `threads` + 1 batches are drawn ahead.
 */
export async function* drawWalks(graph: WalkGraph, plan: WalkPlan): AsyncGenerator<Int32Array, void, void> {
  await using threads = new WalkThreads(graph, plan);
  const ahead: Promise<Int32Array>[] = [];
  for (const job of jobsOf(graph.offsets.length - 1, plan)) {
    ahead.push(threads.draw(job));
    if (ahead.length > plan.threads) yield await (ahead.shift() as Promise<Int32Array>);
  }
  for (const batch of ahead) yield await batch;
}

function* jobsOf(nodes: number, { walksPerNode, seed }: WalkPlan): Generator<WalkJob, void, void> {
  const random = new Random(seed);
  const order = Uint32Array.from({ length: nodes }, (_, node) => node);
  for (let round = 0; round < walksPerNode; round += 1) {
    random.shuffle(order);
    for (let from = 0; from < nodes; from += batchWalksMax) {
      yield { starts: order.slice(from, from + batchWalksMax), first: round * nodes + from };
    }
  }
}

/** Draws batches in threads, each its share of them in turn, or where there is none in this one; ended with this. */
class WalkThreads implements AsyncDisposable {
  readonly #walker: Walker;
  readonly #length: number;
  readonly #threads: WalkThread[];
  #next = 0;

  constructor(graph: WalkGraph, { threads, ...options }: WalkPlan) {
    assert(Number.isSafeInteger(threads) && threads >= 0);
    this.#walker = new Walker(graph, options);
    this.#length = options.length;
    this.#threads = Array.from({ length: threads }, () => new WalkThread({ graph, options }));
  }

  async draw(job: WalkJob): Promise<Int32Array> {
    const thread = this.#threads[this.#next++ % this.#threads.length];
    if (thread !== undefined) return thread.draw(job);
    const walks = new Int32Array(job.starts.length * this.#length);
    this.#walker.walkAll(job.starts, job.first, walks);
    return walks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }
}

/** One thread, which does its jobs in order; they fail where it breaks. */
class WalkThread {
  readonly #worker: Worker;
  readonly #waiting: PromiseWithResolvers<Int32Array>[] = [];

  constructor(input: WalkThreadInput) {
    // No execArgv: flags of the main program (a test runner's loaders) are not the thread's.
    const program = new URL("./walk-thread.ts", import.meta.url);
    this.#worker = new Worker(program, { name: "medley-walks", execArgv: [], workerData: input });
    this.#worker.on("message", (walks: Int32Array) => this.#waiting.shift()?.resolve(walks));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("the thread that draws walks ended")));
  }

  draw(job: WalkJob): Promise<Int32Array> {
    const waiting = Promise.withResolvers<Int32Array>();
    // Whoever asked may come to it after it failed, or not at all.
    waiting.promise.catch(() => {});
    this.#waiting.push(waiting);
    this.#worker.postMessage(job);
    return waiting.promise;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
