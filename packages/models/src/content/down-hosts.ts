const hostsMax = 1_000;

/**
 * Hosts that failed every attempt of a read not long ago. They get one attempt a read until one succeeds: else each record
 * of a batch would wait through all attempts for a host that is down, one time-out after the other. At most `hostsMax` are
 * known; the longest known is forgotten first, which costs it no more than further attempts.
 */
export class DownHosts {
  readonly #untilMs = new Map<string, number>();
  readonly #memoryMs: number;

  constructor({ memoryMs }: { memoryMs: number }) {
    this.#memoryMs = memoryMs;
  }

  has(host: string, nowMs: number): boolean {
    return nowMs < (this.#untilMs.get(host) ?? 0);
  }

  add(host: string, nowMs: number): void {
    this.#untilMs.delete(host); // To the end of the order.
    this.#untilMs.set(host, nowMs + this.#memoryMs);
    const [oldest] = this.#untilMs.keys();
    if (this.#untilMs.size > hostsMax && oldest !== undefined) this.#untilMs.delete(oldest);
  }

  delete(host: string): void {
    this.#untilMs.delete(host);
  }
}
