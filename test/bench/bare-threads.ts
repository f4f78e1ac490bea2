import { once } from "node:events";
import { Worker } from "node:worker_threads";

/**
 * Threads of a program in `rivals` that share out work by a counter: the least that can be done, with its inputs made
 * beforehand. A program answers "round" with how many pieces it did, and "check" with what it computed of each.
 */
export class BareThreads<Checked> implements AsyncDisposable {
  readonly #workers: readonly Worker[];
  readonly #next: Int32Array;

  private constructor(workers: readonly Worker[], next: Int32Array) {
    this.#workers = workers;
    this.#next = next;
  }

  /** `start` is the program's data, to which the shared counter is added as `next`. */
  static async start<Checked>(
    program: string,
    threads: number,
    start: Readonly<Record<string, unknown>>,
  ): Promise<BareThreads<Checked>> {
    const next = new SharedArrayBuffer(4);
    const url = new URL(`./rivals/${program}`, import.meta.url);
    const workers = Array.from(
      { length: threads },
      () => new Worker(url, { workerData: { ...start, next } }),
    );
    await Promise.all(workers.map((worker) => once(worker, "message")));
    return new BareThreads(workers, new Int32Array(next));
  }

  async round(): Promise<void> {
    await this.#ask("round");
  }

  /** By piece. */
  async check(): Promise<Map<number, Checked>> {
    return new Map((await this.#ask("check")).flat() as [number, Checked][]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  async #ask(message: "round" | "check"): Promise<unknown[]> {
    this.#next[0] = 0;
    const answers = this.#workers.map((worker) => once(worker, "message"));
    for (const worker of this.#workers) worker.postMessage(message);
    return (await Promise.all(answers)).map(([answer]) => answer);
  }
}
