import { workerData } from "node:worker_threads";

/**
 * Keeps a session thread from being ended inside native code: ONNX Runtime's answer then meets a thread that may run no more
 * JavaScript, and its exception takes the whole process down.
 *
 * States, in memory that the thread and its owner share: `free` <-> `inside`, as the thread enters native code and leaves it;
 * `free` -> `closed`, when the owner is about to end the thread, which then waits at the gate for its end; `inside` -> `leaving`,
 * when the owner would end it: the thread ends itself as soon as it comes back. Bound: none on how long native code takes; the
 * owner does not wait for it.
 */
const states = { free: 0, inside: 1, closed: 2, leaving: 3 } as const;

export type GateMemory = SharedArrayBuffer;

/** What a session thread is started with. */
export interface ThreadData {
  readonly gate: GateMemory;
}

/** The owner's side. */
export class NativeGate {
  readonly memory: GateMemory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  readonly #state = new Int32Array(this.memory);

  /** True: the thread is in no native code and will enter none, so it may be terminated. False: it ends itself. */
  close(): boolean {
    for (;;) {
      const free = Atomics.compareExchange(this.#state, 0, states.free, states.closed);
      if (free === states.free || free === states.closed) return true;
      const inside = Atomics.compareExchange(this.#state, 0, states.inside, states.leaving);
      if (inside === states.inside || inside === states.leaving) return false;
    }
  }
}

const memory = (workerData as Partial<ThreadData> | null)?.gate;
const state = memory === undefined ? null : new Int32Array(memory);

/** The thread's side: calls native code, in turn with itself. Elsewhere than in a session thread it only calls. */
export async function throughGate<Value>(call: () => Promise<Value>): Promise<Value> {
  if (state === null) return call();
  if (Atomics.compareExchange(state, 0, states.free, states.inside) !== states.free) {
    // What is about to be terminated: nothing of it is waited for.
    Atomics.wait(state, 0, states.closed);
  }
  try {
    return await call();
  } finally {
    if (Atomics.compareExchange(state, 0, states.inside, states.free) !== states.inside) process.exit();
  }
}
