/** How a process hears of the generations of rows on a server, and what it asks meanwhile. */

import { setTimeout as sleep } from "node:timers/promises";
import { type Deployment, loadConfig, openDeployment, readSettings } from "medley";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { OwnDatabase } from "../own-database.ts";
import { Workplace } from "./medley.fixture.ts";

const configOf = (top: number) => ({
  collections: {
    prices: {
      fields: { price: "number" },
      spaces: { price: { encoder: "number", field: "price", range: [0, top] } },
    },
  },
});

describe.skipIf(process.env.DATABASE_URL === undefined)("following generations (needs DATABASE_URL)", () => {
  let database: OwnDatabase;
  let workplace: Workplace;
  let deployment: Deployment;
  const environment = () => ({ MEDLEY_DATABASE_URL: database.url, MEDLEY_LANE_PREFIX: database.prefix });
  const command = (...args: string[]) =>
    workplace.runJson(["--config", "next.config.json", ...args], { environment: environment() });

  beforeAll(async () => {
    database = await OwnDatabase.create(process.env.DATABASE_URL ?? "");
    workplace = new Workplace(configOf(100));
    workplace.write("next.config.json", JSON.stringify(configOf(200)));
    const { collections } = await loadConfig(workplace.folder);
    deployment = await openDeployment({
      ...{ collections, settings: readSettings(environment()), migrates: true },
    });
    await deployment.runStages(["embed", "index"]);
    await deployment.ingest(
      "prices",
      Array.from({ length: 20 }, (_, n) => ({ id: `p${n}`, price: n })),
    );
    await deployment.settled();
  });
  afterAll(async () => {
    await deployment?.close();
    await workplace?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  /** Milliseconds from the change of the database to that of this process. */
  async function seenAfterMs(...args: string[]): Promise<number> {
    const before = deployment.collection("prices").generation;
    let isOver = false;
    const seen = (async () => {
      while (deployment.collection("prices").generation === before && !isOver) await sleep(10);
      return Date.now();
    })();
    const { exitCode, error } = await command(...args);
    expect(exitCode, JSON.stringify(error)).toBe(0);
    // Longer than it may take, shorter than a process looks without being told.
    await Promise.race([seen, sleep(4_000)]);
    isOver = true;
    const { rows } = await deployment.pool.query<{ ms: number }>(
      "select extract(epoch from switched_at)::float8 * 1000 as ms from medley_internal.generations where state = 'live'",
    );
    return (await seen) - (rows[0]?.ms as number);
  }

  test("while nothing happens a process asks next to nothing", async () => {
    const query = vi.spyOn(deployment.pool, "query");
    await sleep(3_000);
    const asked = query.mock.calls.length;
    query.mockRestore();
    expect(asked).toBeLessThanOrEqual(2);
  });

  test("a switch is seen within a second, also after the line was lost", async () => {
    expect(await seenAfterMs("apply", "prices")).toBeLessThan(1_000);
    expect(deployment.collection("prices").generation).toBe(2);
    expect(await database.cutConnections()).toBeGreaterThan(0);
    await sleep(3_000);
    expect(await seenAfterMs("apply", "prices", "--rollback")).toBeLessThan(1_000);
    expect(deployment.collection("prices").generation).toBe(1);
  });

  test("a process that ends says so", async () => {
    const readers = async () =>
      (
        await deployment.pool.query(
          "select distinct instance, carries from medley_internal.generation_reader",
        )
      ).rows;
    expect(await readers()).toEqual([{ instance: expect.any(String), carries: true }]);
    const { collections } = await loadConfig(workplace.folder);
    const other = await openDeployment({ collections, settings: readSettings(environment()) });
    expect(await readers()).toHaveLength(2);
    await other.close();
    expect(await readers()).toHaveLength(1);
  });
});
