import type { Consumer } from "@medley/core";
import type { Timers } from "@medley/transport/state-machines";
import type { World } from "./world.ts";

/** A server that processes call over the network: the store, the queue, the log. */
export interface Server {
  readonly name: string;
  /** Until then it answers nobody. */
  downUntilMs: number;
  /** What a client's adapter makes of a connection that broke. */
  brokenOff(what: string): Error;
}

export interface Answer<Value> {
  give(value: Value): void;
  refuse(error: unknown): void;
}

/** How often a call fails by itself, while faults last. */
export interface CallRates {
  /** The request does not arrive. */
  readonly lost: number;
  /** It arrives and has its effect; the answer does not. */
  readonly unanswered: number;
}

/** Where a planned crash meets a call: before the request left, when it was sent, or when it was served and not yet answered. */
export const crashPhases = ["unsent", "sent", "served"] as const;
export type CrashPhase = (typeof crashPhases)[number];

export interface HostOptions {
  readonly world: World;
  readonly name: string;
  readonly rates: () => CallRates;
  /** Starts the process's program; resolves with what it is to close before it ends. Where it rejects, the process ends and is started again. */
  readonly main: (life: Life) => Promise<readonly Consumer[]>;
  readonly restartMsMax: number;
}

const callMs = 0.5;
const answerTimeoutMs = 4_000;

/**
 * One machine with one process on it, which is started again when it has ended. A *life* is the process from its start to its end:
 * whatever it had in memory, its timers and what it still awaits are gone with it, while requests it had sent may still
 * arrive. A stalled life (a long pause of the whole process) does nothing until the stall is over.
 */
export class Host {
  readonly name: string;
  readonly #options: HostOptions;
  /** Servers it can't reach, until when. */
  readonly #cutOffUntilMs = new Map<Server, number>();
  #crashAt: { calls: number; phase: CrashPhase } | null = null;
  /** Its wall clock less the true one. */
  skewMs = 0;
  life: Life | null = null;
  calls = 0;

  constructor(options: HostOptions) {
    this.#options = options;
    this.name = options.name;
  }

  start(): void {
    const life = new Life(this, this.#options.world);
    this.life = life;
    this.#options.world.note(this.name, "starts");
    this.#options.main(life).then(
      (consumers) => {
        life.consumers = consumers;
      },
      (error) => {
        if (life.ended) return;
        this.#options.world.note(this.name, "could not go on:", String(error));
        this.end("exit");
      },
    );
  }

  /** Asks the process to end: what it has in hand it may finish. */
  restart(graceMs: number): void {
    const { life } = this;
    if (life === null) return;
    this.#options.world.note(this.name, "is asked to end");
    Promise.all(life.consumers.map((consumer) => consumer.close({ graceMs }))).then(() => {
      if (!life.ended) this.end("exit");
    });
  }

  /** The process is gone from one moment to the next. */
  end(reason: "crash" | "exit"): void {
    if (this.life === null) return;
    const { world, restartMsMax } = this.#options;
    this.life.ended = true;
    this.life = null;
    world.note(this.name, reason);
    world.afterwards(world.chance.next() * restartMsMax, () => this.start());
  }

  stall(durationMs: number): void {
    const { world } = this.#options;
    world.note(this.name, "stalls for ms", Math.round(durationMs));
    if (this.life !== null) this.life.stalledUntilMs = world.nowMs + durationMs;
  }

  cutOff(server: Server, durationMs: number): void {
    const { world } = this.#options;
    world.note(this.name, "can't reach", server.name, "for ms", Math.round(durationMs));
    this.#cutOffUntilMs.set(server, world.nowMs + durationMs);
  }

  /** It crashes at that call from now on. */
  crashAtCall(calls: number, phase: CrashPhase): void {
    this.#crashAt = { calls, phase };
  }

  /** A call of its life. What is served is decided when the request arrives. */
  call<Value>(
    life: Life,
    server: Server,
    what: string,
    serve: (answer: Answer<Value>) => void,
  ): Promise<Value> {
    // It ended while this code ran: whatever that goes on to call never leaves.
    if (life.ended) return new Promise(() => {});
    const { world } = this.#options;
    const { chance } = world;
    const { lost, unanswered } = this.#options.rates();
    this.calls += 1;
    const crash = this.#crashPhase();
    if (crash === "unsent") {
      this.end("crash");
      return new Promise(() => {});
    }
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    const drawn = chance.next();
    const breakOff = (afterMs: number) => world.after(afterMs, life, () => reject(server.brokenOff(what)));
    const answered = (settle: () => void) => {
      if (crash === "served" && !life.ended) this.end("crash");
      const broken = drawn >= lost && drawn < lost + unanswered;
      if (broken || this.#isCutOff(server)) breakOff(chance.next() * answerTimeoutMs);
      else world.after(chance.latencyMs(callMs), life, settle);
    };
    world.after(chance.latencyMs(callMs), null, () => {
      if (server.downUntilMs > world.nowMs || this.#isCutOff(server) || drawn < lost) {
        breakOff(chance.next() * answerTimeoutMs);
        return;
      }
      serve({
        give: (value) => answered(() => resolve(value)),
        refuse: (error) => answered(() => reject(error)),
      });
    });
    // After the request was put on its way: it arrives, and nobody hears the answer. Not at once: the caller goes on to its
    // next await before.
    if (crash === "sent") world.after(0, null, () => life === this.life && this.end("crash"));
    return promise;
  }

  #isCutOff(server: Server): boolean {
    return (this.#cutOffUntilMs.get(server) ?? 0) > this.#options.world.nowMs;
  }

  #crashPhase(): CrashPhase | null {
    if (this.#crashAt === null) return null;
    this.#crashAt.calls -= 1;
    if (this.#crashAt.calls > 0) return null;
    const { phase } = this.#crashAt;
    this.#crashAt = null;
    return phase;
  }
}

/** A process from its start to its end. */
export class Life {
  readonly host: Host;
  readonly world: World;
  /** The time and chance of its code. */
  readonly timers: Timers;
  readonly random: () => number;
  consumers: readonly Consumer[] = [];
  ended = false;
  stalledUntilMs = 0;

  constructor(host: Host, world: World) {
    this.host = host;
    this.world = world;
    this.timers = {
      nowMs: () => world.nowMs,
      after: (delayMs, act) => world.after(delayMs, this, act),
    };
    this.random = () => world.chance.next();
  }

  call<Value>(server: Server, what: string, serve: (answer: Answer<Value>) => void): Promise<Value> {
    return this.host.call(this, server, what, serve);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.world.after(delayMs, this, resolve));
  }
}
