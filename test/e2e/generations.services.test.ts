/** Generations of rows: made, switched, switched back and ended while records are written and searched. */

import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServiceProcess } from "../service-process.ts";
import { ask, placeOf, placesOf, post, until } from "./medley.fixture.ts";
import { Services } from "./services.fixture.ts";

const serverUrl = process.env.DATABASE_URL ?? "";
const fields = { title: "text", kinds: "categories", price: "number" } as const;

/** `top` of the range of prices: another one is another encoder. */
function configOf(top: number, more: object = {}): object {
  const spaces = {
    title: { encoder: "text", field: "title" },
    price: { encoder: "number", field: "price", range: [0, top] },
    ...more,
  };
  return { collections: { places: { fields, spaces } } };
}

const kinds = { kinds: { encoder: "category", field: "kinds", values: ["bar", "cafe", "park"] } };
const askedPrice = 20;
/** The cosine of two prices whose range ends at `top`. */
const cosine = (price: number, top: number) =>
  Math.cos(((Math.PI / 2) * (Math.min(price, top) - askedPrice)) / top);

interface Hit {
  readonly id: string;
  readonly contributions: Readonly<Record<string, number>>;
  readonly fields: { readonly price: number };
}

describe.skipIf(process.env.DATABASE_URL === undefined)("generations (needs DATABASE_URL)", () => {
  let services: Services;
  let query: ServiceProcess;
  let producer: ServiceProcess;
  let worker: ServiceProcess;
  let pool: pg.Pool;
  const rowsCount = 300;

  const command = (args: readonly string[], top: number, more: object = {}) => {
    services.workplace.write("next.config.json", JSON.stringify(configOf(top, more)));
    return services.workplace.runJson(["--config", "next.config.json", ...args], {
      environment: services.environment,
    });
  };
  const record = (n: number, price: number) => {
    const { id, title, kinds: of } = placeOf(n);
    return { id, title, kinds: of, price };
  };

  beforeAll(async () => {
    services = await Services.create(serverUrl, { config: configOf(100) });
    const migrated = await services.workplace.run(["migrate"], { environment: services.environment });
    expect(migrated.code, migrated.stderr).toBe(0);
    producer = await services.start("producer");
    worker = await services.start("embedding-worker");
    await services.start("indexer");
    query = await services.start("query");
    pool = new pg.Pool({ connectionString: services.database.url, max: 2 });
    pool.on("error", () => {});
    const records = placesOf(rowsCount).map((place, n) => record(n, place.price as number));
    await post(`${producer.url}/v1/collections/places/records`, records);
    await settled(rowsCount);
  });
  afterAll(async () => {
    await pool?.end();
    await services?.[Symbol.asyncDispose]();
  });

  async function settled(count: number): Promise<void> {
    await until(
      async () => (await pool.query("select count(*)::int as n from medley.places")).rows[0].n,
      (n) => n === count,
    );
  }

  /** Writes and searches until stopped; what came of it. */
  function load() {
    const stopping = new AbortController();
    const prices = new Map<string, number>();
    const failures: string[] = [];
    const answers: Hit[][] = [];
    const write = async () => {
      for (let n = 0; !stopping.signal.aborted; n = (n + 1) % rowsCount) {
        const changed = record(n, Math.floor(Math.random() * 100));
        const { status } = await post(`${producer.url}/v1/collections/places/records`, changed);
        if (status === 202) prices.set(changed.id as string, changed.price);
        else failures.push(`write: ${status}`);
        await sleep(20);
      }
    };
    const search = async () => {
      while (!stopping.signal.aborted) {
        const { status, body } = await post(`${query.url}/v1/collections/places/search`, {
          ...{ parts: { title: "quiet reading", price: askedPrice }, k: 10 },
        });
        if (status === 200 && body.hits.length === 10) answers.push(body.hits);
        else failures.push(`search: ${status} ${JSON.stringify(body)}`);
        await sleep(50);
      }
    };
    const running = Promise.all([write(), search()]);
    return {
      async stop() {
        stopping.abort();
        await running;
        return { prices, failures, answers };
      },
    };
  }

  /** Which range an answer was scored by; `mixed` where its hits disagree, or agree with none. */
  function rangeOf(hits: readonly Hit[], tops: readonly number[]): number | "mixed" {
    const fits = (top: number) =>
      hits.every(
        ({ contributions, fields: { price } }) =>
          Math.abs((contributions.price ?? 9) - cosine(price, top)) < 2e-3,
      );
    return tops.find(fits) ?? "mixed";
  }

  async function expectPrices(prices: ReadonlyMap<string, number>): Promise<void> {
    await until(
      async () =>
        (await pool.query<{ id: string; price: number }>("select id, price from medley.places")).rows,
      (rows) => rows.every(({ id, price }) => (prices.get(id) ?? price) === price),
    );
  }

  test("a switch and its way back while records are written and searched: no failed search, no mixed answer, no lost write", async () => {
    const planned = await command(["plan", "places"], 200, kinds);
    expect(planned.data).toMatchObject({
      generation: 2,
      rows: rowsCount,
      spaces: [
        { space: "title", how: "copied" },
        { space: "price", how: "encoded", usesModel: false },
        { space: "kinds", how: "encoded" },
      ],
    });
    const encodedBefore = await textsEncoded();
    const loaded = load();
    const applied = await command(["apply", "places"], 200, kinds);
    expect(applied).toMatchObject({ exitCode: 0, data: { state: "live", generation: 2, before: 1 } });
    await sleep(1_000);
    const back = await command(["apply", "places", "--rollback"], 200, kinds);
    expect(back).toMatchObject({ exitCode: 0, data: { generation: 1, before: 2 } });
    await sleep(1_000);
    const { prices, failures, answers } = await loaded.stop();
    expect(failures).toEqual([]);
    const ranges = answers.map((hits) => rangeOf(hits, [100, 200]));
    expect(new Set(ranges)).toEqual(new Set([100, 200]));
    const turns = ranges.filter((range, at) => at > 0 && range !== ranges[at - 1]).length;
    expect(turns, "one turn there and one back").toBe(2);
    await expectPrices(prices);
    // Titles came again with every record and were in both generations, and never changed.
    expect(await textsEncoded()).toBe(encodedBefore);
  });

  test("killed at any point, the same command goes on; then the generation before can be ended", async () => {
    // That of the test before is kept, and was live last: it is ended first.
    expect(await command(["apply", "places", "--finish"], 100)).toMatchObject({
      exitCode: 0,
      data: { dropped: 2 },
    });
    const loaded = load();
    services.workplace.write("next.config.json", JSON.stringify(configOf(200, kinds)));
    for (const ms of [300, 900, 1_500, 2_500]) {
      const applying = services.workplace.start(["--config", "next.config.json", "apply", "places"], {
        environment: services.environment,
      });
      await Promise.race([applying.ended, sleep(ms)]);
      applying.kill("SIGKILL");
      await applying.ended;
    }
    await worker.end("SIGKILL");
    worker = await services.start("embedding-worker");
    const applied = await command(["apply", "places"], 200, kinds);
    expect(applied.exitCode, JSON.stringify(applied)).toBe(0);
    await sleep(500);
    const finished = await command(["apply", "places", "--finish"], 200, kinds);
    expect(finished).toMatchObject({ exitCode: 0, data: { dropped: 1 } });
    await sleep(1_000);
    const { prices, failures, answers } = await loaded.stop();
    expect(failures).toEqual([]);
    expect(answers.map((hits) => rangeOf(hits, [100, 200]))).not.toContain("mixed");
    await expectPrices(prices);
    const { rows } = await pool.query(
      "select to_regclass('medley_internal.places_g1') as before, count(*)::int as n, (select live_table from medley_internal.collections) as live from medley.places",
    );
    expect(rows).toEqual([{ before: null, n: rowsCount, live: "places_g2" }]);
  });

  /** By the process that embeds. */
  async function textsEncoded(): Promise<number> {
    const { text } = await ask(`${worker.url}/metrics`, { method: "GET", headers: {} });
    return Number(/^medley_model_inputs_total\{.*state="done".*\} (\d+)/m.exec(text)?.[1]);
  }
});
