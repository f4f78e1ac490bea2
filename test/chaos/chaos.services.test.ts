/** Real services and servers of its own, under faults, killed all at once, and under ten times their load. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { drainSecondsMax, fullSize, runChaos, startFleet } from "./chaos-run.ts";
import { runOverload } from "./load/overload.ts";
import { chaosLines, overloadLines } from "./report.ts";
import { serverNames } from "./servers.ts";
import { Backfills } from "./workload/backfills.ts";
import type { Operation } from "./workload/operations.ts";
import { openWorld } from "./world.ts";

const minuteMs = 60_000;
const overloadSeconds = 20;

// Servers that may be killed can't be the ones that other suites share, so their URLs are of no use here.
describe.skipIf(process.env.MEDLEY_SERVICES !== "native")("chaos (needs MEDLEY_SERVICES=native)", () => {
  test.for([1, 2, 3])(
    "seed %i: 20,000 operations, 60 faults; nothing lost, doubled, torn or overtaken, drained within a minute",
    { timeout: 15 * minuteMs },
    async (seed) => {
      const result = await runChaos({ seed, lanes: "kafka-redis", ...fullSize });
      console.log(chaosLines(result).join("\n"));
      expect(result.violations).toEqual([]);
      expect(result.drainedSeconds).toBeLessThanOrEqual(drainSecondsMax);
      expect(Object.values(result.faults).reduce((sum, count) => sum + count)).toBe(fullSize.faults);
      // A run without work would hold every promise.
      expect(result.outcomes.accepted + result.outcomes.rejected).toBe(fullSize.operations);
    },
  );

  test("every process and every server is killed in mid-backfill: it resumes, to the exact row count", {
    timeout: 10 * minuteMs,
  }, async () => {
    const rows = 5_000;
    await using world = await openWorld({ lanes: "kafka-redis" });
    await startFleet(world);
    const stop = new AbortController();
    const backfills = new Backfills({ ...world, signal: stop.signal });
    const loading = backfills.load(Array.from({ length: rows }, (_, n) => upsert(n)));
    await untilRows(world, rows / 5);
    const { members } = world.fleet;
    await Promise.all([
      ...members.map((member) => member.kill(2_000)),
      ...serverNames.map((name) => world.servers.kill(name)),
      backfills.kill(),
    ]).then(async () => {
      await Promise.all(serverNames.map((name) => world.servers.start(name)));
    });
    await loading;
    const { rows: counted } = await world.database.query(
      `select count(*)::int as rows, (select count(*)::int from chaos.audit) as writes from medley.items`,
    );
    expect(backfills.resumes).toBeGreaterThan(0);
    expect(counted).toEqual([{ rows, writes: rows }]);
    expect(backfills.runs).toEqual([{ runId: expect.any(String), records: rows, settled: rows }]);
  });

  test("ten times the load: producers are slowed, memory stays bounded, nothing accepted is dropped", {
    timeout: 10 * minuteMs,
  }, async () => {
    const result = await runOverload({ lanes: "kafka-redis", seconds: overloadSeconds, seed: 1 });
    console.log(overloadLines(result).join("\n"));
    expect(result.violations).toEqual([]);
  });
});

function upsert(n: number): Operation {
  return { n, id: `k${n}`, version: 1, action: "upsert", poison: null, lane: "backfill" };
}

async function untilRows({ database }: Awaited<ReturnType<typeof openWorld>>, rows: number): Promise<void> {
  for (;;) {
    const { rows: found } = await database.query<{ count: number }>(
      "select count(*)::int as count from chaos.audit",
    );
    if ((found[0]?.count ?? 0) >= rows) return;
    await sleep(50);
  }
}
