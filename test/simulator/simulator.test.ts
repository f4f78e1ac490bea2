/**
 * Promises P1 to P6 (docs/PROMISES.md) under faults: every process of a deployment, with its real code, over a simulated clock,
 * network, store, queue, log and model. CONTRIBUTING.md says how to replay a seed and how to run more.
 */
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { crashPhases } from "./host.ts";
import { regressionSeeds } from "./regression-seeds.ts";
import { reportOf } from "./report.ts";
import { runSeeds } from "./run-seeds.ts";
import { scenarioOf } from "./scenario.ts";
import { simulate } from "./simulate.ts";

const { MEDLEY_SIMULATE_SEEDS, MEDLEY_SIMULATE_SEED } = process.env;
const seeds = Number(MEDLEY_SIMULATE_SEEDS ?? 5_000);
const threads = Math.min(availableParallelism(), 4);
const timeoutMs = Math.max(seeds * 100, 120_000);

if (MEDLEY_SIMULATE_SEED !== undefined) {
  test("the seed given, with all that happened", async () => {
    const outcome = await simulate(Number(MEDLEY_SIMULATE_SEED), { traceAll: true });
    console.log(reportOf(outcome));
    expect(outcome.violation).toBeNull();
  });
}

test.for(regressionSeeds)("what was found once stays mended: seed $seed, $found", async ({ seed }) => {
  const outcome = await simulate(seed);
  expect(outcome.violation, reportOf(outcome)).toBeNull();
});

test("no loss, no duplicates, newest wins, no torn vectors, bounded, progress: whatever fails", {
  timeout: timeoutMs,
}, async () => {
  const startedAtMs = performance.now();
  const done = await runSeeds({ first: 1, last: seeds }, { threads });
  const seconds = (performance.now() - startedAtMs) / 1_000;
  console.log(`${done.seeds} seeds in ${seconds.toFixed(1)} s: ${Math.round(done.seeds / seconds)} a second`);
  expect(done.failures.map(({ report }) => report).join("\n\n")).toBe("");
  expect(done.seeds).toBe(seeds);
});

test("the same seed is the same run", async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const first = await simulate(seed, { traceAll: true });
    const again = await simulate(seed, { traceAll: true });
    expect(first.world.trace.length).toBeGreaterThan(20);
    expect(again.world.trace).toEqual(first.world.trace);
  }
  const other = await simulate(6, { traceAll: true });
  expect(other.world.trace).not.toEqual((await simulate(1, { traceAll: true })).world.trace);
});

/** The first seed whose scenario is small, has deletes and poison, and no faults but those that are planned. */
function calmSeed({ withLog }: { withLog: boolean }): number {
  for (let seed = 1; ; seed += 1) {
    const { isOverload, rates, partitions, clients, run } = scenarioOf(seed);
    const inputs = JSON.stringify([clients, run]);
    const isTelling = ["delete", "refused", "unstorable"].every((word) => inputs.includes(word));
    const isCalm = !isOverload && rates.lost === 0 && !inputs.includes("kill");
    if (isCalm && isTelling && clients.length === 2 && partitions > 0 === withLog) return seed;
  }
}

test.for([{ withLog: false }, { withLog: true }])(
  "a process may crash at any of its calls, before it is sent, once it is, and once it is served: %j",
  async (lanes) => {
    const seed = calmSeed(lanes);
    const calm = await simulate(seed, { faults: [] });
    expect(calm.violation).toBeNull();
    let crashes = 0;
    for (const [host, calls] of calm.calls) {
      for (let call = 1; call <= calls; call += 1) {
        for (const phase of crashPhases) {
          const faults = [{ atMs: 0, kind: "crash at call", host, calls: call, phase } as const];
          const outcome = await simulate(seed, { faults });
          if (outcome.violation !== null) expect.fail(reportOf(outcome));
          crashes += 1;
        }
      }
    }
    expect(crashes).toBeGreaterThan(300);
  },
);
