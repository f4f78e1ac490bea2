import type { Backlog } from "@medley/core";
import { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import type { Deployment } from "./deployment/deployment.ts";
import { readinessOf } from "./readiness.ts";

interface Away {
  readonly store?: boolean;
  readonly stream?: boolean;
  readonly backfill?: boolean;
  readonly models?: boolean;
}

/** Only what readiness looks at. */
function deployment(away: Away, usesModel = true): Deployment {
  const lane = (isAway: boolean | undefined) => ({
    backlog: async (): Promise<Backlog> => {
      if (isAway) throw new MedleyError("transport_unavailable", "away");
      return { waiting: 0, inFlight: 0 };
    },
  });
  const query = async () => {
    if (away.store) throw new Error("away");
  };
  return {
    pool: { query },
    lanes: { stream: lane(away.stream), backfill: lane(away.backfill) },
    collections: new Map([["films", { encoders: [{ usesModel }] }]]),
    runtime: { ready: !away.models },
  } as unknown as Deployment;
}

const roles = {
  producer: { name: "producer", stages: [], produces: true, searches: false },
  "embedding-worker": { name: "embedding-worker", stages: ["embed"], produces: false, searches: false },
  indexer: { name: "indexer", stages: ["index"], produces: false, searches: false },
  query: { name: "query", stages: [], produces: false, searches: true },
  up: { name: "up", stages: ["embed", "index"], produces: true, searches: true },
} as const;

async function failing(role: keyof typeof roles, away: Away, stopping = new AbortController().signal) {
  const checks = Object.entries(readinessOf(deployment(away), roles[role], stopping));
  const signal = new AbortController().signal;
  const results = await Promise.allSettled(checks.map(([, check]) => check(signal)));
  return checks.map(([name]) => name).filter((_, at) => results[at]?.status === "rejected");
}

test.for([
  ["producer", ["stream lane"]],
  ["embedding-worker", ["store", "stream lane", "backfill lane", "models"]],
  ["indexer", ["store", "stream lane", "backfill lane"]],
  ["query", ["store", "models"]],
  ["up", ["store", "stream lane", "backfill lane", "models"]],
] as const)("a %s is not ready without %j, and without those alone", async ([role, needs]) => {
  expect(await failing(role, {})).toEqual([]);
  expect(await failing(role, { store: true, stream: true, backfill: true, models: true })).toEqual(needs);
});

test("whatever it is, it is not ready once it is to stop", async () => {
  for (const role of Object.keys(roles) as (keyof typeof roles)[]) {
    expect(await failing(role, {}, AbortSignal.abort())).toEqual(["draining"]);
  }
});

test("where no space needs a model, none is asked for", () => {
  const checks = readinessOf(deployment({}, false), roles.query, new AbortController().signal);
  expect(Object.keys(checks)).toEqual(["draining", "store"]);
});
