import {
  type Channel,
  type ChannelPackets,
  type Consumer,
  type Delivery,
  MedleyError,
  type Receive,
} from "@medley/core";
import { backoffMs } from "./backoff.ts";
import { Bell } from "./bell.ts";
import type { Lease, LeaseBroker } from "./lease-broker.ts";
import type { Timers } from "./timers.ts";

export interface LeaseConsumerOptions<C extends Channel> {
  readonly broker: LeaseBroker;
  readonly channel: C;
  readonly receive: Receive<C>;
  readonly packetsInFlightMax: number;
  /** Between two looks at an empty queue; a ring of the bell comes before. */
  readonly pollIntervalMs: number;
  readonly onFault: (fault: MedleyError) => void;
  readonly timers: Timers;
  /** From 0 to 1; spreads retries. */
  readonly random: () => number;
}

interface Held<C extends Channel> {
  readonly lease: Lease<C>;
  readonly abort: AbortController;
  readonly done: PromiseWithResolvers<void>;
  /** `received`: with the receiver. `settled`: being acknowledged or given back. `lost`: no longer ours. */
  state: "received" | "settled" | "lost";
}

/** A queue that can't be reached is asked again after at most this long. */
const faultPauseMsMax = 5_000;

/**
 * Takes packets one after the other and has up to `packetsInFlightMax` of them in hand.
 *
 * States: taking -> draining (`close`: takes nothing new) -> closed. A packet in hand is `received`, then `settled`
 * when the receiver resolves (acknowledged) or rejects (given back with backoff); it is `lost` when its lease could not be
 * renewed in time or the grace of `close` is over: its signal is aborted and whatever its receiver says later is not heard.
 * What goes wrong while settling is left to the lease: the packet comes back when it runs out. So nothing is lost, at
 * the price that a packet whose acknowledgement failed is delivered again.
 */
export class LeaseConsumer<C extends Channel> implements Consumer {
  readonly #options: LeaseConsumerOptions<C>;
  readonly #inHand = new Set<Held<C>>();
  readonly #mayTake: Bell;
  readonly #closing: Bell;
  /** Cancel the rings to come when a packet given back is due. */
  readonly #rings = new Set<() => void>();
  readonly #taking: Promise<void>;
  readonly #renewing: Promise<void>;
  #state: "taking" | "draining" | "closed" = "taking";
  #closed: Promise<void> | null = null;

  constructor(options: LeaseConsumerOptions<C>) {
    this.#options = options;
    this.#mayTake = new Bell(options.timers);
    this.#closing = new Bell(options.timers);
    this.#taking = this.#takeAll();
    this.#renewing = this.#renewAll();
  }

  /** There may be something to take. */
  wake(): void {
    this.#mayTake.ring();
  }

  close(options: { graceMs: number }): Promise<void> {
    this.#closed ??= this.#close(options.graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    this.#state = "draining";
    this.#mayTake.ring();
    const graceOver = Promise.withResolvers<void>();
    const cancelGrace = this.#options.timers.after(graceMs, graceOver.resolve);
    const allDone = this.#taking.then(() => Promise.all([...this.#inHand].map((held) => held.done.promise)));
    await Promise.race([allDone, graceOver.promise]);
    cancelGrace();
    await this.#taking;
    await Promise.all([...this.#inHand].map((held) => this.#takeAway(held)));
    this.#state = "closed";
    for (const cancel of this.#rings) cancel();
    this.#closing.ring();
    await this.#renewing;
  }

  async #takeAway(held: Held<C>): Promise<void> {
    if (held.state === "settled") return held.done.promise;
    if (held.state === "lost") return;
    this.#lose(held, "the consumer closes");
    await this.#settle(() => held.lease.giveBack(0));
  }

  async #takeAll(): Promise<void> {
    let faults = 0;
    while (this.#state === "taking") {
      if (this.#inHand.size >= this.#options.packetsInFlightMax) {
        await this.#mayTake.wait(Number.POSITIVE_INFINITY);
        continue;
      }
      try {
        const lease = await this.#options.broker.take(this.#options.channel);
        faults = 0;
        if (lease === null) await this.#mayTake.wait(this.#options.pollIntervalMs);
        else if (this.#state !== "taking") await this.#settle(() => lease.giveBack(0));
        else void this.#deliver(lease);
      } catch (error) {
        faults += 1;
        this.#report(error);
        await this.#mayTake.wait(Math.min(backoffMs(faults, this.#options.random), faultPauseMsMax));
      }
    }
  }

  async #deliver(lease: Lease<C>): Promise<void> {
    const abort = new AbortController();
    const held: Held<C> = { lease, abort, done: Promise.withResolvers<void>(), state: "received" };
    this.#inHand.add(held);
    const accepted = await this.#receive(lease, abort.signal);
    if (held.state === "received") {
      held.state = "settled";
      if (accepted) await this.#settle(() => lease.acknowledge());
      else await this.#retry(lease);
    }
    this.#inHand.delete(held);
    held.done.resolve();
    this.#mayTake.ring();
  }

  async #receive(lease: Lease<C>, signal: AbortSignal): Promise<boolean> {
    let packet: ChannelPackets[C];
    try {
      packet = await lease.readPacket();
    } catch (error) {
      this.#report(error);
      return false;
    }
    try {
      await this.#options.receive(deliveryOf(lease, packet), signal);
      return true;
    } catch {
      // The receiver has said why, where it knows more: here it only means once more.
      return false;
    }
  }

  async #retry(lease: Lease<C>): Promise<void> {
    const delayMs = backoffMs(lease.attempt, this.#options.random);
    await this.#settle(() => lease.giveBack(delayMs));
    if (this.#state !== "taking") return;
    const cancel = this.#options.timers.after(delayMs, () => {
      this.#rings.delete(cancel);
      this.#mayTake.ring();
    });
    this.#rings.add(cancel);
  }

  async #settle(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#report(error);
    }
  }

  #lose(held: Held<C>, reason: string): void {
    held.state = "lost";
    held.abort.abort(
      new MedleyError("transport_unavailable", `the packet is no longer this consumer's: ${reason}`),
    );
  }

  async #renewAll(): Promise<void> {
    const { broker, channel, timers } = this.#options;
    const intervalMs = broker.leaseMs / 3;
    let pauseMs = intervalMs;
    while (this.#state !== "closed") {
      await this.#closing.wait(pauseMs);
      const held = [...this.#inHand].filter(({ state }) => state !== "lost");
      const startedAtMs = timers.nowMs();
      try {
        const lost =
          held.length === 0
            ? []
            : await broker.renew(
                channel,
                held.map(({ lease }) => lease),
              );
        for (const one of held) {
          if (one.state === "received" && lost.includes(one.lease)) this.#lose(one, "its lease ran out");
        }
      } catch (error) {
        this.#report(error);
      }
      // A renewal that had to wait counts from when it was asked for: the next one is due the sooner.
      pauseMs = Math.max(intervalMs - (timers.nowMs() - startedAtMs), 0);
    }
  }

  #report(error: unknown): void {
    this.#options.onFault(faultOf(error, this.#options.broker.name, `channel ${this.#options.channel}`));
  }
}

/** A packet that is done sooner than this after it was taken, or after its last report, costs the queue no report. */
const reportIntervalMs = 1_000;

function deliveryOf<C extends Channel>(lease: Lease<C>, packet: ChannelPackets[C]): Delivery<C> {
  const { attempt } = lease;
  if (lease.report === undefined) return { packet, attempt };
  let reportedAtMs = performance.now();
  const report = (done: number) => {
    if (performance.now() - reportedAtMs < reportIntervalMs) return;
    reportedAtMs = performance.now();
    // Only to be looked at: a report that is lost, or comes when the packet is gone, harms nothing.
    lease.report?.({ done, of: packet.envelopes.length }).catch(() => {});
  };
  return { packet, attempt, report };
}

/** Any failure of a broker as an operating error. */
export function faultOf(error: unknown, brokerName: string, what: string): MedleyError {
  if (error instanceof MedleyError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new MedleyError("transport_unavailable", `${brokerName} failed (${what}): ${reason}`, {
    mend: "see that it runs and can be reached; trying again is safe",
    cause: error,
  });
}
