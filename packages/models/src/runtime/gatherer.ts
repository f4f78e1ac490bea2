import { type EncodeFailure, type EncodeResult, fail, MedleyError, succeed } from "@medley/core";
import { type BatchBounds, batchesByLength } from "./batches.ts";
import { type Rows, type RowValues, selectRows } from "./rows.ts";
import type { RunAnswer } from "./session.ts";
import { isThreadLoss } from "./thread.ts";

export interface GathererOptions {
  readonly bounds: BatchBounds;
  readonly dimensions: number;
  /** Runs one batch on some thread; rejects as `ThreadPool.run` does. */
  readonly run: (rows: Rows) => Promise<RunAnswer>;
  /** Threads that hold the model: as many batches run at once, and one more is kept ready. */
  readonly threads: () => number;
  /** How long rows that fill no batch wait for others that are being prepared. */
  readonly gatherMsMax: number;
  /** Rows that came within so long of the first count as equally old: the parts of one caller's many rows. */
  readonly evenAgeMs: number;
}

interface Pending {
  readonly row: RowValues;
  readonly cameMs: number;
  readonly result: PromiseWithResolvers<EncodeResult>;
}

/**
 * Where the rows of all callers of one model meet and become batches.
 *
 * A row is pending from `submit` until a batch with it starts, running until that batch is answered, then its own
 * promise resolves. A batch starts when a thread is free for it (or when a whole one is there to be kept ready). What
 * is pending is grouped anew whenever it changed, at the least cost (`batchesByLength`), and the longest of the groups that
 * came first goes first, so no row waits for ever. Rows that fill no batch wait up to `gatherMsMax` while other inputs
 * are being prepared, and not at all otherwise.
 *
 * A batch that fails is halved until the row at fault stands alone: every other row takes part in at most
 * log2(batch) + 1 more runs. So is one that took down its thread twice. Bound: the callers' admission.
 */
export class Gatherer {
  readonly #options: GathererOptions;
  readonly #pending = new Set<Pending>();
  #groups: Pending[][] | null = null;
  #running = 0;
  #preparing = 0;
  #wakeUp: NodeJS.Timeout | null = null;

  constructor(options: GathererOptions) {
    this.#options = options;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Says that rows are on their way, until the returned function is called. */
  expect(): () => void {
    this.#preparing++;
    return () => {
      this.#preparing--;
      this.#start();
    };
  }

  /** Each row's result, in order. Rejects with the signal's reason; rows that run already are then run for nothing. */
  async submit(rows: readonly RowValues[], signal?: AbortSignal): Promise<EncodeResult[]> {
    signal?.throwIfAborted();
    const cameMs = performance.now();
    const mine = rows.map((row): Pending => ({ row, cameMs, result: Promise.withResolvers() }));
    for (const each of mine) this.#pending.add(each);
    this.#groups = null;
    const leave = () => {
      for (const each of mine) {
        this.#pending.delete(each);
        each.result.reject(signal?.reason);
      }
      this.#groups = null;
    };
    signal?.addEventListener("abort", leave, { once: true });
    this.#start();
    try {
      return await Promise.all(mine.map(({ result }) => result.promise));
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  #start(): void {
    for (let batch = this.#next(); batch !== null; batch = this.#next()) {
      for (const each of batch) this.#pending.delete(each);
      this.#running++;
      void this.#run(batch).finally(() => {
        this.#running--;
        this.#start();
      });
    }
  }

  /** The batch to start now, if any. */
  #next(): Pending[] | null {
    const { threads, gatherMsMax } = this.#options;
    const [first] = this.#pending;
    if (first === undefined || this.#running > threads()) return null;
    this.#groups ??= this.#grouped();
    if (!this.#fillsBatch()) {
      if (this.#running === threads()) return null;
      const leftMs = first.cameMs + gatherMsMax - performance.now();
      if (this.#preparing > 0 && leftMs > 0) {
        this.#wakeUp ??= setTimeout(() => {
          this.#wakeUp = null;
          this.#start();
        }, leftMs);
        return null;
      }
    }
    // Of groups about equally old the longest goes first: short ones end the work, so all threads end at about the same time.
    const ages = this.#groups.map(firstCameMs);
    const oldMs = Math.min(...ages) + this.#options.evenAgeMs;
    const chosen = ages.findIndex((cameMs) => cameMs <= oldMs);
    return this.#groups.splice(chosen, 1)[0] as Pending[];
  }

  #fillsBatch(): boolean {
    const { paddedValuesMax, batchRowsMax } = this.#options.bounds;
    if (this.#pending.size >= batchRowsMax) return true;
    let values = 0;
    for (const { row } of this.#pending) values += row.length;
    return values >= paddedValuesMax;
  }

  #grouped(): Pending[][] {
    const rows = [...this.#pending];
    const lengths = rows.map(({ row }) => row.length);
    const batches = batchesByLength(lengths, this.#options.bounds);
    return batches.map((batch) => batch.map((index) => rows[index] as Pending));
  }

  async #run(batch: readonly Pending[]): Promise<void> {
    const settled = await this.#try(batch);
    const { size } = settled;
    for (const { result } of batch.filter((each) => !settled.has(each)))
      result.resolve(fail(endsThreads(size > 0)));
  }

  /** Runs a batch, or its halves. Returns the rows that have a result: all but those that alone end their thread. */
  async #try(batch: readonly Pending[]): Promise<ReadonlySet<Pending>> {
    try {
      const rows = batch.map(({ row }) => row);
      this.#settle(batch, await this.#options.run(selectRows(rows, [...rows.keys()])));
      return new Set(batch);
    } catch (error) {
      const failure = failureOf(error);
      const isLoss = isThreadLoss(error);
      if (isLoss && batch.length === 1) return new Set();
      const isPassing = failure.code === "encoder_unavailable" && !isLoss;
      if (isPassing || batch.length === 1) {
        for (const { result } of batch) result.resolve(fail(failure));
        return new Set(batch);
      }
    }
    const middle = batch.length >> 1;
    const left = await this.#try(batch.slice(0, middle));
    return left.union(await this.#try(batch.slice(middle)));
  }

  #settle(batch: readonly Pending[], { vectors, failed }: RunAnswer): void {
    const { dimensions } = this.#options;
    const faulty = new Set(failed);
    for (const [index, { result }] of batch.entries()) {
      if (faulty.has(index)) result.resolve(fail(notFinite));
      else result.resolve(succeed(vectors.slice(index * dimensions, (index + 1) * dimensions)));
    }
  }
}

function firstCameMs(group: readonly Pending[]): number {
  return group.reduce((first, { cameMs }) => Math.min(first, cameMs), Number.POSITIVE_INFINITY);
}

export const notFinite: EncodeFailure = {
  code: "encoder_failed",
  message: "the model gave a vector that is not finite, or all zero",
};

/** While not one row of the batch could be run, it is not known whose fault that is: they may be tried again. */
function endsThreads(othersWork: boolean): EncodeFailure {
  const message = "running the model on it ends the thread that does, time after time";
  return { code: othersWork ? "encoder_failed" : "encoder_unavailable", message };
}

/** A `MedleyError` of a runtime as a failure of an input. Anything else is a bug, and thrown. */
export function failureOf(error: unknown): EncodeFailure {
  if (!(error instanceof MedleyError)) throw error;
  const { message, mend } = error;
  if (error.retryable) return { code: "encoder_unavailable", message };
  return { code: "encoder_failed", message, ...(mend === undefined ? {} : { mend }) };
}
