/**
 * A reading that may be slow, shared by all who ask while it runs: askers never pile up on what does not answer. Bound: one
 * reading at a time; an asker waits `waitMsMax` for it and then goes without.
 */
export class SharedReading<Value> {
  readonly #read: () => Promise<Value>;
  readonly #waitMsMax: number;
  #running: Promise<Value | null> | null = null;

  constructor(read: () => Promise<Value>, options: { waitMsMax: number }) {
    this.#read = read;
    this.#waitMsMax = options.waitMsMax;
  }

  /** Null where it failed or takes too long. */
  async get(): Promise<Value | null> {
    this.#running ??= this.#read()
      .catch(() => null)
      .finally(() => {
        this.#running = null;
      });
    const { promise: late, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(resolve, this.#waitMsMax, null);
    try {
      return await Promise.race([this.#running, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
