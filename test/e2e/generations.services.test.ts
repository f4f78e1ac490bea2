/** Generations of rows: made, switched, switched back and ended while records are written and searched. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import "./medley.fixture.ts";
import { firstTop, nextTop, Places, topOf } from "./generations.fixture.ts";
import { until } from "./workplace.ts";

const rate = { writesPerSecond: 30, searchesPerSecond: 15 };

describe.skipIf(process.env.DATABASE_URL === undefined)("generations (needs DATABASE_URL)", () => {
  let places: Places;
  const rowsCount = 300;

  beforeAll(async () => {
    places = await Places.start(process.env.DATABASE_URL ?? "", rowsCount);
  });
  afterAll(() => places?.[Symbol.asyncDispose]());

  test("a switch and its way back while records are written and searched: no failed search, no mixed answer, no lost write", async () => {
    const planned = await places.command(["plan", "places"]);
    expect(planned.data).toMatchObject({
      generation: 2,
      rows: rowsCount,
      spaces: [
        { space: "title", how: "copied" },
        { space: "price", how: "encoded", usesModel: false },
        { space: "kinds", how: "encoded" },
      ],
    });
    const encodedBefore = await places.textsEncoded();
    const load = places.load(rate);
    const applied = await places.command(["apply", "places"]);
    expect(applied).toMatchObject({ exitCode: 0, data: { state: "live", generation: 2, before: 1 } });
    await sleep(1_000);
    const back = await places.command(["apply", "places", "--rollback"]);
    expect(back).toMatchObject({ exitCode: 0, data: { generation: 1, before: 2 } });
    await sleep(1_000);
    const { prices, failures, answers } = await load.stop();
    expect(failures).toEqual([]);
    const tops = answers.map(topOf);
    expect(tops).not.toContain("mixed");
    expect(new Set(tops)).toEqual(new Set([firstTop, nextTop]));
    await places.holds(prices);
    // Titles came again with every record and were in both generations, and never changed.
    expect(await places.textsEncoded()).toBe(encodedBefore);
  });

  test("killed at any point, the same command goes on; then the generation before can be ended", async () => {
    // That of the test before is kept.
    expect(await places.command(["apply", "places", "--finish"])).toMatchObject({
      exitCode: 0,
      data: { dropped: 2 },
    });
    const load = places.load(rate);
    for (const ms of [300, 900, 1_500, 2_500]) {
      const applying = places.startCommand(["apply", "places"]);
      await Promise.race([applying.ended, sleep(ms)]);
      applying.kill("SIGKILL");
      await applying.ended;
    }
    await places.worker.end("SIGKILL");
    places.worker = await places.services.start("embedding-worker");
    const applied = await places.command(["apply", "places"]);
    expect(applied.exitCode, JSON.stringify(applied)).toBe(0);
    await sleep(500);
    const finished = await places.command(["apply", "places", "--finish"]);
    expect(finished).toMatchObject({ exitCode: 0, data: { dropped: 1 } });
    await sleep(1_000);
    const { prices, failures, answers } = await load.stop();
    expect(failures).toEqual([]);
    expect(answers.map(topOf)).not.toContain("mixed");
    await places.holds(prices);
    const { rows } = await places.pool.query(
      "select to_regclass('medley_internal.places_g1') as before, live_table as live from medley_internal.collections",
    );
    // The second has ended, and its number with it.
    expect(rows).toEqual([{ before: null, live: "places_g3" }]);
  });

  test("two at once: the second is told that one is running; killed, the first leaves nothing locked", async () => {
    const { workplace, environment } = places.services;
    // Of the first configuration again.
    const command = (...args: string[]) => workplace.runJson(args, { environment });
    const writer = await places.pool.connect();
    // What makes the next table waits for a write under way.
    await writer.query("begin; lock table medley_internal.places_g3 in row exclusive mode");
    const first = workplace.start(["apply", "places"], { environment });
    const waiting =
      "select from pg_locks where relation = 'medley_internal.places_g3'::regclass and not granted";
    await until(
      async () => (await places.pool.query(waiting)).rowCount,
      (count) => count === 1,
    );
    for (const how of [[], ["--rollback"], ["--finish"], ["--drop"]]) {
      expect(await command("apply", "places", ...how)).toMatchObject({
        exitCode: 3,
        error: { code: "apply_running", mend: expect.stringMatching(/goes on where it was.*pg_terminate/) },
      });
    }
    expect(await command("plan", "places")).toMatchObject({ data: { generation: 4 } });
    first.kill("SIGKILL");
    await first.ended;
    const next = command("apply", "places");
    await sleep(500);
    await writer.query("rollback");
    writer.release();
    expect(await next).toMatchObject({ exitCode: 0, data: { state: "live", generation: 4, before: 3 } });
    expect(await places.command(["apply", "places", "--rollback"])).toMatchObject({
      data: { generation: 3 },
    });
    expect(await places.command(["apply", "places", "--finish"])).toMatchObject({ data: { dropped: 4 } });
  });

  test("where the only process that carries rows has been killed, the command carries them itself", async () => {
    await places.worker.end("SIGKILL");
    const { workplace, environment } = places.services;
    // The first configuration again, as a generation of its own.
    const applied = await workplace.runJson(["apply", "places"], { environment });
    expect(applied).toMatchObject({ exitCode: 0, data: { state: "live", generation: 5, before: 3 } });
    await places.holds(new Map());
  });
});

describe.skipIf(process.env.DATABASE_URL === undefined)("generations of a graph (needs DATABASE_URL)", () => {
  test("rows of both go on hearing of their neighbours, whatever is killed", async () => {
    await using places = await Places.start(process.env.DATABASE_URL ?? "", 200, { hears: true });
    const load = places.load(rate);
    for (const ms of [1_500, 3_000, 5_000]) {
      const applying = places.startCommand(["apply", "places"]);
      await Promise.race([applying.ended, sleep(ms)]);
      applying.kill("SIGKILL");
      await applying.ended;
      await places.worker.end("SIGKILL");
      places.worker = await places.services.start("embedding-worker");
    }
    const applied = await places.command(["apply", "places"]);
    expect(applied.exitCode, JSON.stringify(applied)).toBe(0);
    await sleep(1_000);
    const { prices, failures, answers } = await load.stop();
    expect(failures).toEqual([]);
    expect(answers.map(topOf)).not.toContain("mixed");
    await places.holds(prices);
    expect(await places.unheard()).toBe(0);
    const back = await places.command(["apply", "places", "--rollback"]);
    expect(back).toMatchObject({ exitCode: 0, data: { before: 2 } });
    expect(await places.unheard(), "of those that followed").toBe(0);
  }, 300_000);
});
