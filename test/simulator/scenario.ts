import type { Collection, OutcomeCounts } from "@medley/core";
import { Chance } from "./chance.ts";
import { type CrashPhase, crashPhases } from "./host.ts";
import { arrivalVersioned, poisonWords, userVersioned } from "./notes.ts";

/** A record as a user gives it. */
export type InputValue = Readonly<Record<string, unknown>>;

export interface PlannedInput {
  readonly value: InputValue;
  /** It is what an earlier input was, with its version: position among the client's inputs. */
  readonly replayOf: number | null;
}

/** Someone who posts one batch after the other to any producer, again until it is accepted. */
export interface PlannedClient {
  readonly batches: readonly (readonly PlannedInput[])[];
  readonly pauseMsMax: number;
}

export interface PlannedRun {
  readonly runId: string;
  readonly startMs: number;
  readonly chunks: readonly (readonly InputValue[])[];
}

export type PlannedFault = { readonly atMs: number } & (
  | { readonly kind: "crash"; readonly host: string }
  | {
      readonly kind: "crash at call";
      readonly host: string;
      readonly calls: number;
      readonly phase: CrashPhase;
    }
  | { readonly kind: "restart"; readonly host: string }
  | { readonly kind: "stall"; readonly host: string; readonly durationMs: number }
  | { readonly kind: "cut off"; readonly host: string; readonly server: string; readonly durationMs: number }
  | { readonly kind: "stop"; readonly server: string; readonly durationMs: number }
  | { readonly kind: "model down"; readonly host: string; readonly durationMs: number }
  | { readonly kind: "clock"; readonly host: string; readonly skewMs: number }
);

export interface Rates {
  readonly lost: number;
  readonly unanswered: number;
  readonly doubles: number;
  readonly reorders: number;
  readonly hangs: number;
}

/** All that a seed decides before the run; what happens by chance within it follows from the same seed. */
export interface Scenario {
  readonly seed: number;
  readonly collection: Collection;
  /** Clients send more, and faster, than can be done: what waits is to stay bounded (promise P5). */
  readonly isOverload: boolean;
  readonly producers: readonly string[];
  readonly embedders: readonly string[];
  readonly indexers: readonly string[];
  readonly clients: readonly PlannedClient[];
  readonly run: PlannedRun;
  /** Of the log that is the stream's lane; 0: the queue is both lanes. */
  readonly partitions: number;
  readonly faults: readonly PlannedFault[];
  readonly rates: Rates;
  /** Of the store: see `StoreOptions`. */
  readonly lockMs: number;
  readonly modelRunMs: number;
  readonly leaseMs: number;
  readonly backlogPacketsMax: number;
  /** From then on nothing fails any more. */
  readonly quietAtMs: number;
}

export const backfillHost = "backfill";
export const settledNone: OutcomeCounts = { indexed: 0, tombstoned: 0, superseded: 0, deadLetters: 0 };

const faultsEndMs = 40_000;

const hosts = {
  producers: ["producer 1", "producer 2"],
  embedders: ["embedder 1", "embedder 2", "embedder 3"],
  indexers: ["indexer 1", "indexer 2"],
};

export function scenarioOf(seed: number): Scenario {
  const chance = new Chance(seed ^ 0x5eed);
  const isOverload = chance.happens(0.02);
  const collection = chance.happens(0.5) ? userVersioned : arrivalVersioned;
  const embedders = hosts.embedders.slice(0, chance.between(2, 3));
  const partitions = chance.oneOf([0, 1, 2, 3]);
  const records = new Records(chance, collection === userVersioned);
  const clients = isOverload
    ? [overloadOf(records, partitions > 0), overloadOf(records, partitions > 0)]
    : Array.from({ length: chance.between(1, 2) }, () => clientOf(chance, records));
  const run = {
    runId: "run",
    startMs: chance.below(5_000),
    chunks: Array.from({ length: chance.between(1, 4) }, () =>
      Array.from({ length: chance.between(1, 5) }, () => records.next({ mayBeInvalid: true })),
    ),
  };
  const isCalm = chance.happens(0.1);
  const servers = partitions === 0 ? ["store", "queue"] : ["store", "queue", "log"];
  const places = { hosts: [...Object.values(hosts).flat(), backfillHost], ...hosts, embedders, servers };
  const faults = isCalm ? [] : faultsOf(chance, places);
  if (isOverload) faults.push(...hosts.indexers.map((host) => stallOf(chance, host)));
  const rate = isCalm || isOverload ? 0 : chance.oneOf([0, 0.01, 0.05]);
  return {
    seed,
    collection,
    isOverload,
    ...hosts,
    embedders,
    clients,
    run,
    partitions,
    faults,
    rates: {
      lost: rate,
      unanswered: rate,
      doubles: rate,
      reorders: chance.oneOf([0, 0.1, 0.5]),
      hangs: rate / 2,
    },
    lockMs: chance.oneOf([0.3, 5, 50]),
    modelRunMs: isOverload ? 50 : chance.oneOf([2, 20, 500]),
    leaseMs: chance.oneOf([3_000, 6_000, 15_000]),
    backlogPacketsMax: isOverload ? 1 : chance.oneOf([1, 3, 20]),
    quietAtMs: faults.reduce((latest, fault) => Math.max(latest, endOf(fault)), 0),
  };
}

/** Few ids and few texts, so that records meet each other and segments are copied. */
class Records {
  readonly #chance: Chance;
  readonly #versions: number[] | null;
  readonly #ids: readonly string[];
  readonly #poisonRate: number;
  #made = 0;

  constructor(chance: Chance, userVersions: boolean) {
    this.#chance = chance;
    this.#versions = userVersions ? chance.shuffled(Array.from({ length: 1_000 }, (_, at) => at + 1)) : null;
    this.#ids = ["a", "b", "c", "d", "e", "f"].slice(0, chance.between(2, 6));
    this.#poisonRate = chance.oneOf([0, 0.05, 0.2]);
  }

  next({ mayBeInvalid }: { mayBeInvalid: boolean }): InputValue {
    const chance = this.#chance;
    this.#made += 1;
    const id = chance.oneOf(this.#ids);
    const version = this.#versions === null ? {} : { v: this.#versions.pop() as number };
    if (chance.happens(0.2)) return { id, ...version, _op: "delete" };
    if (mayBeInvalid && chance.happens(0.05)) return { id, ...version, title: this.#made };
    let title = chance.oneOf(["one", "two", "three"]);
    let body: string | null = chance.happens(0.2) ? null : `body ${chance.below(3)}`;
    if (chance.happens(this.#poisonRate)) {
      const word = chance.happens(0.1) ? "kill" : chance.oneOf(poisonWords.filter((one) => one !== "kill"));
      if (word === "unstorable") body = `unstorable ${this.#made}`;
      else title = `${word} ${this.#made}`;
    }
    return { id, ...version, title, body };
  }
}

function clientOf(chance: Chance, records: Records): PlannedClient {
  let inputs = 0;
  const batches = Array.from({ length: chance.between(2, 8) }, () =>
    Array.from({ length: chance.between(1, 4) }, (): PlannedInput => {
      inputs += 1;
      const isReplay = inputs > 1 && chance.happens(0.15);
      return isReplay
        ? { value: {}, replayOf: chance.below(inputs - 1) }
        : { value: records.next({ mayBeInvalid: false }), replayOf: null };
    }),
  );
  return { batches, pauseMsMax: chance.oneOf([0, 200, 5_000]) };
}

/** As packets for a queue, which counts those; as many records for a log. */
function overloadOf(records: Records, forLog: boolean): PlannedClient {
  const [batchesMax, batchRecords] = forLog ? [15, 20] : [60, 1];
  const batches = Array.from({ length: batchesMax }, () =>
    Array.from({ length: batchRecords }, () => ({
      value: records.next({ mayBeInvalid: false }),
      replayOf: null,
    })),
  );
  return { batches, pauseMsMax: 0 };
}

/** What comes in goes on, and nothing comes out. */
function stallOf(chance: Chance, host: string): PlannedFault {
  return { atMs: chance.below(500), kind: "stall", host, durationMs: chance.oneOf([1, 10_000, 20_000]) };
}

interface Places {
  readonly hosts: readonly string[];
  readonly producers: readonly string[];
  readonly embedders: readonly string[];
  readonly servers: readonly string[];
}

const hourMs = 3_600_000;

function faultsOf(chance: Chance, { hosts, producers, embedders, servers }: Places): PlannedFault[] {
  const faultAt = (atMs: number): PlannedFault => {
    const host = chance.oneOf(hosts);
    const server = chance.oneOf(servers);
    const durationMs = chance.oneOf([300, 3_000, 20_000]) * (0.5 + chance.next());
    switch (chance.below(10)) {
      case 0:
        return { atMs, kind: "crash", host };
      case 1:
      case 2:
      case 3: {
        const phase = chance.oneOf(crashPhases);
        return { atMs, kind: "crash at call", host, calls: chance.between(1, 30), phase };
      }
      case 4:
        return { atMs, kind: "restart", host };
      case 5:
        return { atMs, kind: "stall", host, durationMs };
      case 6:
        return { atMs, kind: "cut off", host, server, durationMs };
      case 7:
        return { atMs, kind: "stop", server, durationMs };
      case 8:
        return { atMs, kind: "model down", host: chance.oneOf(embedders), durationMs };
      default:
        return {
          atMs,
          kind: "clock",
          host: chance.oneOf(producers),
          skewMs: (2 * chance.next() - 1) * hourMs,
        };
    }
  };
  const count = chance.between(1, 8);
  // Most of them while there is most to do.
  const times = Array.from({ length: count }, () => faultsEndMs * chance.next() ** 3);
  return times.sort((a, b) => a - b).map((atMs) => faultAt(Math.round(atMs)));
}

function endOf(fault: PlannedFault): number {
  return fault.atMs + ("durationMs" in fault ? fault.durationMs : 0);
}

/** For the report of a failing run. */
export function describeFault({ atMs, kind, ...rest }: PlannedFault): string {
  const details = Object.entries(rest).map(
    ([name, value]) => `${name} ${typeof value === "number" ? Math.round(value) : value}`,
  );
  return `${String(Math.round(atMs)).padStart(6)} ms  ${kind}: ${details.join(", ")}`;
}
