/** Of what was seen, kept per further observation: what was slow once is forgotten after some hundred runs. */
const keptShare = 0.98;
const hangMsMin = 500;
const patience = 5;
const doubtMax = 4;

interface Seen {
  slowestMs: number;
  slowestMsPerUnit: number;
  /** 1, or more after threads were called hung. */
  doubt: number;
}

/**
 * How long jobs may take before their thread counts as hung: five times the slowest of late, scaled to the job's size
 * where it is larger, and half a second. A kind of job that was never seen may take `firstMsMax`. Since machines stand
 * still at times (paused, swapped out), each thread called hung doubles the patience, up to four times, until a job is done.
 */
export class Pace {
  readonly #firstMsMax: number;
  readonly #seen = new Map<string, Seen>();

  constructor(options: { firstMsMax: number }) {
    this.#firstMsMax = options.firstMsMax;
  }

  observe(kind: string, units: number, ms: number): void {
    const before = this.#seen.get(kind);
    this.#seen.set(kind, {
      slowestMs: Math.max(ms, (before?.slowestMs ?? 0) * keptShare),
      slowestMsPerUnit: Math.max(ms / units, (before?.slowestMsPerUnit ?? 0) * keptShare),
      doubt: 1,
    });
  }

  hangMs(kind: string, units: number): number {
    const seen = this.#seen.get(kind);
    if (seen === undefined) return this.#firstMsMax;
    const expectedMs = Math.max(seen.slowestMs, seen.slowestMsPerUnit * units);
    return hangMsMin + patience * seen.doubt * expectedMs;
  }

  /** A job of the kind was not answered in time. */
  hung(kind: string): void {
    const seen = this.#seen.get(kind);
    if (seen !== undefined) seen.doubt = Math.min(doubtMax, seen.doubt * 2);
  }

  /** Of a model that is unloaded: `prefix` is what its kinds begin with. */
  forget(prefix: string): void {
    for (const kind of this.#seen.keys()) if (kind.startsWith(prefix)) this.#seen.delete(kind);
  }
}
