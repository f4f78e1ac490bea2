import { type Consumer, channels, type Lanes } from "@medley/core";
import { LeaseTransport, openKafkaThrough } from "@medley/transport/state-machines";
import { Host, type Life, type Server } from "./host.ts";
import { Judge } from "./judge.ts";
import { SimulatedLog, topicPrefix } from "./log.ts";
import type { Mutation } from "./mutations.ts";
import type { ModelState } from "./notes.ts";
import { Producer, runBackfill, runClient } from "./producers.ts";
import { SimulatedQueue } from "./queue.ts";
import { backfillHost, type PlannedFault, type Rates, type Scenario, scenarioOf } from "./scenario.ts";
import { realPorts, runEmbedder, runIndexer, type ServiceParts, type StagePorts } from "./services.ts";
import { realRules, SimulatedStore } from "./store.ts";
import { World } from "./world.ts";

export interface Outcome {
  readonly scenario: Scenario;
  readonly world: World;
  /** By host: how often it called a server. */
  readonly calls: ReadonlyMap<string, number>;
  /** Null where all promises were kept. */
  readonly violation: Error | null;
}

const noFaults: Rates = { lost: 0, unanswered: 0, doubles: 0, reorders: 0, hangs: 0 };
const restartMsMax = 2_000;
const graceMs = 2_000;
/** So few that the largest runs fill a consumer's windows. */
const messagesInFlightMax = 100;
const pollIntervalMs = 5_000;
/** After the last fault: packets wait for half a minute between tries, and pass two channels. */
const drainMsMax = 4 * 60_000;
/** A text that kills its model's thread and has no neighbours is given up after forty tries. */
const drainWithKillMsMax = 30 * 60_000;

export interface SimulateOptions {
  readonly mutation?: Mutation;
  /** Instead of the faults that the seed plans. */
  readonly faults?: readonly PlannedFault[];
  /** Keeps all of the trace, not only its end. */
  readonly traceAll?: boolean;
}

/** Runs one seed from its first record until nothing is left to do, or to the first promise that was broken. */
export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Outcome> {
  const simulation = new Simulation(seed, options);
  await simulation.run();
  const { scenario, world, calls } = simulation;
  return { scenario, world, calls, violation: world.violation };
}

class Simulation {
  readonly world: World;
  readonly scenario: Scenario;
  readonly #judge: Judge;
  readonly #store: SimulatedStore;
  readonly #queue: SimulatedQueue;
  /** Of the stream, where the queue is not both lanes. */
  readonly #log: SimulatedLog | null;
  readonly #servers: readonly (Server & { stop(durationMs: number): void })[];
  readonly #hosts = new Map<string, Host>();
  readonly #producers = new Map<Life, Producer>();
  readonly #modelDownUntilMs = new Map<string, number>();
  readonly #ports: StagePorts;
  #clientsLeft = 0;
  #backfillLeft = true;

  constructor(seed: number, { mutation = {}, faults, traceAll = false }: SimulateOptions) {
    this.world = new World(seed, { traceAll });
    this.#judge = new Judge(this.world);
    const scenario = scenarioOf(seed);
    this.scenario = faults === undefined ? scenario : { ...scenario, faults };
    this.#store = new SimulatedStore({
      world: this.world,
      judge: this.#judge,
      lockMs: this.scenario.lockMs,
      rules: { ...realRules, ...mutation.rules },
    });
    this.#ports = { ...realPorts, ...mutation.ports };
    this.#queue = new SimulatedQueue({
      world: this.world,
      judge: this.#judge,
      leaseMs: this.scenario.leaseMs,
      doubles: () => this.#rates.doubles,
      reorders: () => this.#rates.reorders,
      onPut: () => this.#checkBacklog("packets", this.#queueWaiting),
    });
    const { partitions } = this.scenario;
    this.#log =
      partitions === 0
        ? null
        : new SimulatedLog({
            world: this.world,
            judge: this.#judge,
            partitions,
            sessionTimeoutMs: 10_000,
            messagesInFlightMax,
            commits: mutation.commits ?? "as told",
            onAppend: () => this.#checkBacklog("records", this.#logLeft),
          });
    this.#servers = [this.#store, this.#queue, ...(this.#log === null ? [] : [this.#log])];
  }

  async run(): Promise<void> {
    this.#startHosts();
    this.#startClients();
    for (const fault of this.scenario.faults) {
      this.world.afterwards(fault.atMs, () => this.#inject(fault));
    }
    const { faults, clients, run } = this.scenario;
    const mayKill = JSON.stringify([clients, run]).includes("kill");
    const endMs = Math.max(faults.length > 0 ? this.scenario.quietAtMs : 0, 60_000);
    const deadlineMs = endMs + (mayKill ? drainWithKillMsMax : drainMsMax);
    this.world.after(deadlineMs, null, () => this.world.violate("P6", `not drained: ${this.#left()}`));
    await this.world.run(() => this.#isDrained);
    if (this.world.violation === null) this.#judge.drained((id) => this.#store.rowOf(id));
  }

  get calls(): ReadonlyMap<string, number> {
    return new Map([...this.#hosts].map(([name, host]) => [name, host.calls]));
  }

  get #rates(): Rates {
    return this.world.nowMs < this.scenario.quietAtMs ? this.scenario.rates : noFaults;
  }

  get #isDrained(): boolean {
    return this.#clientsLeft === 0 && !this.#backfillLeft && this.#queue.isEmpty && this.#logLeft === 0;
  }

  get #logLeft(): number {
    return channels.reduce((left, channel) => left + (this.#log?.left(channel) ?? 0), 0);
  }

  get #queueWaiting(): number {
    return channels.reduce((waiting, channel) => waiting + this.#queue.backlog(channel).waiting, 0);
  }

  /** Producers ask, then send: each may go over the bound by what it sends at once, and what is in hand may come back. */
  #checkBacklog(unit: "packets" | "records", waiting: number): void {
    const { backlogPacketsMax, clients, producers, embedders, indexers, isOverload } = this.scenario;
    // Elsewhere there is too little to go over it, and much that comes twice for its faults.
    if (!isOverload) return;
    const inHand = 3 * embedders.length + 2 * indexers.length;
    const atOnce = Math.max(...clients.flatMap(({ batches }) => batches.map((batch) => batch.length)));
    const waitingMax =
      unit === "packets"
        ? backlogPacketsMax + clients.length + 1 + inHand
        : producers.length * (100 * backlogPacketsMax + atOnce);
    if (waiting > waitingMax) this.world.violate("P5", `${waiting} ${unit} wait, at most ${waitingMax} may`);
  }

  #left(): string {
    const counts = channels.map((channel) => {
      const { waiting, inFlight } = this.#queue.backlog(channel);
      const logged = this.#log?.left(channel) ?? 0;
      return `${channel}: ${waiting} waiting, ${inFlight} in hand, ${logged} in the log`;
    });
    return [`${this.#clientsLeft} clients`, this.#backfillLeft ? "the backfill" : "", ...counts].join("; ");
  }

  #startHosts(): void {
    const { producers, embedders, indexers } = this.scenario;
    for (const name of producers) {
      this.#addHost(name, async (life) => {
        const lanes = await this.#openLanes(life);
        this.#producers.set(life, this.#producerOf(life, lanes));
        return [];
      });
    }
    for (const name of embedders) this.#addHost(name, async (life) => runEmbedder(await this.#partsOf(life)));
    for (const name of indexers) this.#addHost(name, async (life) => runIndexer(await this.#partsOf(life)));
    this.#addHost(backfillHost, async (life) => {
      if (!this.#backfillLeft) return [];
      const onSent = () => {
        this.#backfillLeft = false;
      };
      const producer = this.#producerOf(life, await this.#openLanes(life));
      await runBackfill(producer, life, this.#store.openFor(life), { run: this.scenario.run, onSent });
      return [];
    });
  }

  #addHost(name: string, main: (life: Life) => Promise<readonly Consumer[]>): void {
    const host = new Host({ world: this.world, name, rates: () => this.#rates, restartMsMax, main });
    this.#hosts.set(name, host);
    this.world.afterwards(this.world.chance.next() * 100, () => host.start());
  }

  #startClients(): void {
    const { clients, producers } = this.scenario;
    this.#clientsLeft = clients.length;
    for (const [at, plan] of clients.entries()) {
      const host = new Host({
        world: this.world,
        name: `client ${at + 1}`,
        rates: () => noFaults,
        restartMsMax,
        main: async (life) => {
          await runClient({ life, plan, anyProducer: () => this.#anyProducer(producers) });
          this.#clientsLeft -= 1;
          return [];
        },
      });
      host.start();
    }
  }

  #anyProducer(names: readonly string[]): { life: Life; producer: Producer } | null {
    const life = this.#hosts.get(this.world.chance.oneOf(names))?.life ?? null;
    const producer = life === null ? undefined : this.#producers.get(life);
    return life === null || producer === undefined ? null : { life, producer };
  }

  async #openLanes(life: Life): Promise<Lanes> {
    const queue = new LeaseTransport({
      broker: this.#queue.openFor(life),
      pollIntervalMs,
      onFault: () => {},
      timers: life.timers,
      random: life.random,
    });
    if (this.#log === null) return { stream: queue, backfill: queue };
    const log = await openKafkaThrough(this.#log.openFor(life), {
      prefix: topicPrefix,
      partitions: 1,
      replication: 1,
      retentionHours: 1,
      messagesInFlightMax,
      onUndecodable: async () => this.world.violate("P1", "a message can't be decoded"),
      timers: life.timers,
      random: life.random,
    });
    return { stream: log, backfill: queue };
  }

  #producerOf(life: Life, lanes: Lanes): Producer {
    const { collection, backlogPacketsMax } = this.scenario;
    return new Producer({ life, judge: this.#judge, collection, lanes, backlogPacketsMax });
  }

  async #partsOf(life: Life): Promise<ServiceParts> {
    return {
      life,
      judge: this.#judge,
      collection: this.scenario.collection,
      lanes: await this.#openLanes(life),
      store: this.#store.openFor(life),
      ports: this.#ports,
      onDone: (channel, envelopes) => this.#log?.acknowledged(life, channel, envelopes),
      model: () => this.#modelOf(life.host.name),
    };
  }

  #modelOf(host: string): ModelState {
    const { modelRunMs } = this.scenario;
    return {
      downUntilMs: this.#modelDownUntilMs.get(host) ?? 0,
      runMs: modelRunMs,
      hangs: this.#rates.hangs,
    };
  }

  #inject(fault: PlannedFault): void {
    this.world.note(
      "FAULT",
      fault.kind,
      "host" in fault ? fault.host : "",
      "server" in fault ? fault.server : "",
    );
    const host = "host" in fault ? (this.#hosts.get(fault.host) as Host) : null;
    const server = "server" in fault ? this.#servers.find(({ name }) => name === fault.server) : undefined;
    switch (fault.kind) {
      case "crash":
        host?.end("crash");
        break;
      case "crash at call":
        host?.crashAtCall(fault.calls, fault.phase);
        break;
      case "restart":
        host?.restart(graceMs);
        break;
      case "stall":
        host?.stall(fault.durationMs);
        break;
      case "cut off":
        host?.cutOff(server as Server, fault.durationMs);
        break;
      case "stop":
        server?.stop(fault.durationMs);
        break;
      case "model down":
        this.#modelDownUntilMs.set(fault.host, this.world.nowMs + fault.durationMs);
        break;
      case "clock":
        if (host !== null) host.skewMs = fault.skewMs;
    }
  }
}
