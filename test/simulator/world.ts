import { Chance } from "./chance.ts";
import type { Life } from "./host.ts";

interface Event {
  readonly order: number;
  /** Dropped with the life; null: it belongs to none. */
  readonly life: Life | null;
  /** It runs code of processes, which may go on in promises: these have run before the next event. */
  readonly runsCode: boolean;
  readonly act: () => void;
  atMs: number;
  cancelled: boolean;
}

/** A promise was broken. */
export class Violation extends Error {
  override readonly name = "Violation";
}

type NotePart = string | number | bigint | null;

const traceMax = 60;
/** Some hundred times what a run needs. */
const stepsMax = 200_000;
/** Continuations run between two of Node's immediates; many of them in one turn of its loop cost a seventh each. */
const immediatesPerTurn = 64;

/**
 * The simulated time and all that happens in it: one event after the other, the earliest first. What an event sets off in
 * promises has run before the next event. All that is random follows from the seed, so the same seed is the same run.
 */
export class World {
  readonly seed: number;
  readonly chance: Chance;
  readonly #heap: Event[] = [];
  readonly #trace: { readonly atMs: number; readonly parts: readonly NotePart[] }[] = [];
  readonly #traceAll: boolean;
  #orders = 0;
  nowMs = 0;
  steps = 0;
  violation: Violation | null = null;

  constructor(seed: number, options: { traceAll?: boolean } = {}) {
    this.seed = seed;
    this.chance = new Chance(seed);
    this.#traceAll = options.traceAll ?? false;
  }

  /** Runs `act` of the process, or with null of a server, after `delayMs`; returns what cancels it. */
  after(delayMs: number, life: Life | null, act: () => void): () => void {
    return this.#schedule(delayMs, { life, runsCode: life !== null, act });
  }

  /** Runs `act`, which starts or signals processes, after `delayMs`. */
  afterwards(delayMs: number, act: () => void): void {
    this.#schedule(delayMs, { life: null, runsCode: true, act });
  }

  #schedule(delayMs: number, what: Pick<Event, "life" | "runsCode" | "act">): () => void {
    this.#orders += 1;
    const event = { ...what, order: this.#orders, atMs: this.nowMs + delayMs, cancelled: false };
    this.#push(event);
    return () => {
      event.cancelled = true;
    };
  }

  /** Takes down what happened; put into words only where it is read. */
  note(...parts: readonly NotePart[]): void {
    this.#trace.push({ atMs: this.nowMs, parts });
    if (!this.#traceAll && this.#trace.length > 2 * traceMax) this.#trace.splice(0, traceMax);
  }

  /** What was noted: all of it where the run was told so, else the end of it. */
  get trace(): readonly string[] {
    const notes = this.#traceAll ? this.#trace : this.#trace.slice(-traceMax);
    return notes.map(({ atMs, parts }) => `${atMs.toFixed(1).padStart(10)} ms  ${parts.join(" ")}`);
  }

  /** The first violation ends the run. */
  violate(promise: string, message: string): void {
    this.violation ??= new Violation(`${promise}: ${message}`);
    this.note("VIOLATION", promise, message);
  }

  /** Until `isOver`, which is asked after each step that ran a process's code, or a violation. */
  run(isOver: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let over = false;
    const step = () => {
      if (over) return;
      try {
        over = this.violation !== null || isOver() || !this.#step();
      } catch (error) {
        over = true;
        reject(error);
      }
    };
    const turn = () => {
      if (over) return resolve();
      for (let count = 0; count < immediatesPerTurn; count += 1) setImmediate(step);
      setImmediate(turn);
    };
    turn();
    return promise;
  }

  /** Events up to and including one that runs a process's code. False: there are none left. */
  #step(): boolean {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) return false;
      const { life } = event;
      if (event.cancelled || life?.ended === true) continue;
      this.nowMs = event.atMs;
      if (life !== null && life.stalledUntilMs > this.nowMs) {
        event.atMs = life.stalledUntilMs;
        this.#push(event);
        continue;
      }
      this.steps += 1;
      if (this.steps > stepsMax) this.violate("P6", `it goes on for ever, at ${Math.round(this.nowMs)} ms`);
      event.act();
      if (event.runsCode || this.violation !== null) return true;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Event;
      if (isBefore(above, event)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (isBefore(last, heap[child] as Event)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
