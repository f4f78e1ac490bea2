import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { MedleyError } from "@medley/core";
import type { EndpointKey } from "./endpoint-key.ts";
import { processTime, type Time } from "./time.ts";
import { TokenBucket } from "./token-bucket.ts";
import { WaitingLine } from "./waiting-line.ts";

/** What an endpoint asks for is believed up to here. */
const pauseMsMax = 60_000;
/** Accounts that no encoder uses any more are remembered for what they have spent. */
const unusedAccountsMax = 256;

export interface RateLimits {
  readonly requestsPerMinuteMax?: number | undefined;
  readonly tokensPerMinuteMax?: number | undefined;
}

export interface Admittance {
  /** Estimated. */
  readonly tokens: number;
  /** Searches go ahead of records. */
  readonly ahead: boolean;
  /** Refused with `encoder_unavailable` where it would have to wait for longer. */
  readonly waitMsMax: number;
}

interface Caller extends Admittance {
  readonly deadlineMs: number;
  readonly admitted: PromiseWithResolvers<void>;
}

/**
 * What a provider counts for one key at one address: requests and tokens a minute, and tokens in all. Shared by all
 * encoders of the process that use them, so the lowest limit that any of them names holds for all.
 *
 * A request waits here (searches first, else in order) until no pause is on and both buckets have room. A caller is
 * refused once it would wait beyond its own bound, so nobody waits for ever; how many wait is bounded by the batches
 * their encoders have begun.
 */
export class Account {
  readonly #time: Time;
  readonly #line = new WaitingLine<Caller>();
  #requests: TokenBucket | null = null;
  #tokens: TokenBucket | null = null;
  #pausedUntilMs = 0;
  #timer: AbortController | null = null;
  #spentTokens = 0;
  #tokensUnderWay = 0;

  constructor(time: Time) {
    this.#time = time;
  }

  /** Since the process began, by `usage`, or by estimate where the endpoint gives none. */
  get spentTokens(): number {
    return this.#spentTokens;
  }
  /** Estimated, of requests that have no answer yet. */
  get tokensUnderWay(): number {
    return this.#tokensUnderWay;
  }

  limit(limits: RateLimits): void {
    this.#requests = this.#lowered(this.#requests, limits.requestsPerMinuteMax);
    this.#tokens = this.#lowered(this.#tokens, limits.tokensPerMinuteMax);
  }

  /** Resolves when a request may go out. Throws `encoder_unavailable`, or the signal's reason while it waits. */
  async admit(admittance: Admittance, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const deadlineMs = this.#time.nowMs() + admittance.waitMsMax;
    const caller: Caller = { ...admittance, deadlineMs, admitted: Promise.withResolvers() };
    const leave = () => {
      if (!this.#line.remove(caller)) return;
      caller.admitted.reject(signal.reason);
      this.#admit();
    };
    this.#line.push(caller);
    signal.addEventListener("abort", leave, { once: true });
    this.#admit();
    try {
      await caller.admitted.promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** Nothing goes out for `ms`, a minute at most. */
  pause(ms: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#time.nowMs() + Math.min(ms, pauseMsMax));
  }

  begin(estimatedTokens: number): void {
    this.#tokensUnderWay += estimatedTokens;
  }

  /** `tokens`: what the request has cost; null if it was refused, which costs nothing but counts as one all the same. */
  end(estimatedTokens: number, tokens: number | null): void {
    this.#tokensUnderWay -= estimatedTokens;
    if (tokens === null) return;
    this.#spentTokens += tokens;
    this.#tokens?.take(tokens - estimatedTokens, this.#time.nowMs());
    this.#admit();
  }

  #lowered(bucket: TokenBucket | null, perMinuteMax: number | undefined): TokenBucket | null {
    if (perMinuteMax === undefined) return bucket;
    bucket?.lower(perMinuteMax);
    return bucket ?? new TokenBucket({ perMinuteMax, nowMs: this.#time.nowMs() });
  }

  #admit(): void {
    this.#timer?.abort();
    this.#timer = null;
    while (true) {
      const next = this.#line.head;
      if (next === undefined) return;
      const nowMs = this.#time.nowMs();
      const waitMs = Math.max(
        this.#pausedUntilMs - nowMs,
        this.#requests?.waitMs(1, nowMs) ?? 0,
        this.#tokens?.waitMs(next.tokens, nowMs) ?? 0,
      );
      if (waitMs > 0 && nowMs + waitMs <= next.deadlineMs) {
        this.#admitIn(waitMs);
        return;
      }
      this.#line.shift();
      if (waitMs > 0) {
        next.admitted.reject(tooLong(waitMs));
        continue;
      }
      this.#requests?.take(1, nowMs);
      this.#tokens?.take(next.tokens, nowMs);
      next.admitted.resolve();
    }
  }

  #admitIn(waitMs: number): void {
    const timer = new AbortController();
    this.#timer = timer;
    this.#time.sleep(waitMs, timer.signal).then(
      () => this.#admit(),
      () => {}, // Another timer took its place.
    );
  }
}

function tooLong(waitMs: number): MedleyError {
  return new MedleyError(
    "encoder_unavailable",
    `the endpoint's rate limit lets the next request go in ${Math.ceil(waitMs / 1000)} s only`,
    {
      mend: "send less at a time, or raise requestsPerMinuteMax and tokensPerMinuteMax if the endpoint allows it",
    },
  );
}

/** The accounts of a process. */
export class Accounts {
  readonly time: Time;
  readonly #inUse = new Map<string, { account: Account; users: number }>();
  /** The one that was used last comes last. */
  readonly #unused = new Map<string, Account>();

  constructor(time: Time) {
    this.time = time;
  }

  /** The account of `key` at `url`; dispose of the lease when it is used no more. */
  open(url: string, key: EndpointKey | null, limits: RateLimits): { account: Account } & Disposable {
    const name = createHash("sha256")
      .update(`${url}\n`)
      .update(key?.authorization() ?? "")
      .digest("hex");
    const entry = this.#inUse.get(name) ?? {
      account: this.#unused.get(name) ?? new Account(this.time),
      users: 0,
    };
    entry.users += 1;
    entry.account.limit(limits);
    this.#unused.delete(name);
    this.#inUse.set(name, entry);
    const lease = new DisposableStack(); // Whose second disposal does nothing.
    lease.defer(() => this.#release(name));
    return { account: entry.account, [Symbol.dispose]: () => lease.dispose() };
  }

  #release(name: string): void {
    const entry = this.#inUse.get(name);
    assert(entry !== undefined);
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#inUse.delete(name);
    this.#unused.set(name, entry.account);
    const [oldest] = this.#unused.keys();
    if (this.#unused.size > unusedAccountsMax && oldest !== undefined) this.#unused.delete(oldest);
  }
}

export const processAccounts = new Accounts(processTime);
