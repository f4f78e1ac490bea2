/** Time passing, as an input: tests and the simulator bring their own. */
export interface Timers {
  /** Milliseconds since some moment; never falls. */
  nowMs(): number;
  /** Calls `act` once after `delayMs`, unless what it returns is called before. */
  after(delayMs: number, act: () => void): () => void;
}

export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after(delayMs, act) {
    const timer = setTimeout(act, delayMs);
    return () => clearTimeout(timer);
  },
};
