import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceName } from "../../service-process.ts";
import type { Fleet, Member } from "../fleet.ts";
import type { ServerName, Servers } from "../servers.ts";
import type { Backfills } from "../workload/backfills.ts";
import type { SeededRandom } from "../workload/seeded-random.ts";
import type { StubEncoder } from "../workload/stub-encoder.ts";
import type { CommitFault, CommitMoment } from "./commit-fault.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

/** What faults act on. */
export interface Targets {
  readonly servers: Servers;
  readonly proxies: Readonly<Record<ServerName, TcpProxy>>;
  /** The servers that the lanes and the store use. */
  readonly used: readonly ServerName[];
  readonly commitFault: CommitFault;
  readonly fleet: Fleet;
  readonly backfills: Backfills;
  readonly encoder: StubEncoder;
  /** Longer than leases and sessions. */
  readonly freezeMs: number;
}

/** A fault under way: resolves when it is over. Null: there is nothing it could act on just now. */
type Fault = (targets: Targets, random: SeededRandom) => Promise<void> | null;

/** A commit fault waits so long for a write to strike. */
const armedMsMax = 5_000;
const workersMax = 3;

/** Each with how many of its cards are in the deck that the schedule draws from: 52 in all. */
export const faults: Readonly<Record<string, { readonly cards: number; readonly begin: Fault }>> = {
  "kill producer": { cards: 3, begin: killing("producer") },
  "kill embedding-worker": { cards: 4, begin: killing("embedding-worker") },
  "kill indexer": { cards: 4, begin: killing("indexer") },
  "kill backfill": {
    cards: 4,
    begin: ({ backfills }) => (backfills.kill() ? Promise.resolve() : null),
  },
  "freeze a service": { cards: 2, begin: freeze },
  "add a worker": { cards: 2, begin: addWorker },
  "drain a worker": { cards: 2, begin: removeWorker },
  "kill kafka": { cards: 2, begin: killingServer("kafka") },
  "kill redis": { cards: 2, begin: killingServer("redis") },
  "kill postgres": { cards: 2, begin: killingServer("postgres") },
  "stop postgres immediately": { cards: 1, begin: stopPostgres },
  "reset before commit": { cards: 4, begin: strikingCommit("before_commit") },
  "reset after commit": { cards: 4, begin: strikingCommit("after_commit") },
  "reset connections": { cards: 4, begin: onLine((proxy) => instantly(() => proxy.reset())) },
  "stall a line": {
    cards: 3,
    begin: onLine((proxy, random) => lasting(random.between(1_000, 5_000), (ms) => proxy.stall(ms))),
  },
  "half-open connections": {
    cards: 3,
    begin: onLine((proxy, random) => instantly(() => void proxy.halfOpen(() => random.uniform() < 0.3))),
  },
  "latency on a line": {
    cards: 2,
    begin: onLine((proxy, random) =>
      lasting(random.between(1_000, 4_000), (ms) => proxy.slow(random.between(20, 150), ms)),
    ),
  },
  "encoder stalls": {
    cards: 2,
    begin: ({ encoder }, random) => lasting(random.between(1_000, 5_000), (ms) => encoder.stall(ms)),
  },
  "encoder answers 503": {
    cards: 2,
    begin: ({ encoder }, random) => lasting(random.between(500, 3_000), (ms) => encoder.fail(ms)),
  },
};

function killing(service: ServiceName): Fault {
  return ({ fleet }, random) => {
    const up = fleet.of(service).filter(({ state }) => state === "up");
    return up.length === 0 ? null : random.pick(up).kill(random.between(0, 3_000));
  };
}

/** As a blocked event loop: its connections stay open, its leases and sessions run out. */
function freeze({ fleet, freezeMs }: Targets, random: SeededRandom): Promise<void> | null {
  const up = [...fleet.of("embedding-worker"), ...fleet.of("indexer")].filter(isUp);
  return up.length === 0 ? null : random.pick(up).freeze(freezeMs);
}

/** Also a rebalance of the log's partitions. */
function addWorker({ fleet }: Targets): Promise<void> | null {
  const service = "embedding-worker";
  return fleet.of(service).length >= workersMax ? null : fleet.add(service).then(() => {});
}

function removeWorker({ fleet }: Targets, random: SeededRandom): Promise<void> | null {
  const up = fleet.of("embedding-worker").filter(isUp);
  return up.length < 2
    ? null
    : random
        .pick(up)
        .stop(20_000)
        .then(() => {});
}

function isUp({ state }: Member): boolean {
  return state === "up";
}

function killingServer(name: ServerName): Fault {
  return ({ servers, used }, random) => (used.includes(name) ? outage(servers, name, random, "kill") : null);
}

function stopPostgres({ servers }: Targets, random: SeededRandom): Promise<void> | null {
  return outage(servers, "postgres", random, "stop");
}

const serversDown = new WeakMap<Servers, Set<ServerName>>();

/** One at a time of a server. */
function outage(
  servers: Servers,
  name: ServerName,
  random: SeededRandom,
  how: "kill" | "stop",
): Promise<void> | null {
  const down = serversDown.get(servers) ?? new Set();
  serversDown.set(servers, down);
  if (down.has(name)) return null;
  down.add(name);
  const downMs = random.between(0, 2_000);
  const happen = async () => {
    await (how === "kill" ? servers.kill(name) : servers.stopImmediately("postgres"));
    await sleep(downMs);
    await servers.start(name);
    down.delete(name);
  };
  return happen();
}

function strikingCommit(moment: CommitMoment): Fault {
  return ({ commitFault }) => {
    if (commitFault.armed !== null) return null;
    const struck = Promise.withResolvers<void>();
    commitFault.arm(moment, () => struck.resolve());
    const giveUp = sleep(armedMsMax, undefined, { ref: false }).then(() => {
      if (commitFault.armed === moment) commitFault.disarm();
    });
    return Promise.race([struck.promise, giveUp]);
  };
}

function onLine(act: (proxy: TcpProxy, random: SeededRandom) => Promise<void>): Fault {
  return ({ proxies, used }, random) => {
    const proxy = proxies[random.pick(used)];
    return proxy.connections === 0 ? null : act(proxy, random);
  };
}

async function instantly(act: () => void): Promise<void> {
  act();
}

async function lasting(ms: number, act: (ms: number) => void): Promise<void> {
  act(ms);
  await sleep(ms);
}
