/** A backfill of a table that is cut off, while rows come and go. */
import { openTable } from "@medley/sources";
import { backfill, type Deployment, loadConfig, openDeployment, readSettings } from "medley";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "./medley.fixture.ts";
import { Shop } from "./shop.fixture.ts";

describe.skipIf(process.env.DATABASE_URL === undefined)("backfill of a table (needs DATABASE_URL)", () => {
  let shop: Shop;

  beforeEach(async () => {
    shop = await Shop.open({ rows: 1_000 });
  });
  afterEach(() => shop[Symbol.asyncDispose]());

  async function opened(): Promise<Deployment> {
    const { collections } = await loadConfig(shop.workplace.folder);
    return openDeployment({ collections, settings: readSettings(shop.environment) });
  }
  async function tableOf(deployment: Deployment) {
    const { collection } = deployment.collection("products");
    const [source] = collection.sources;
    if (source?.kind !== "postgres") throw new Error("no table");
    const connectionString = shop.environment.SHOP_DATABASE_URL as string;
    return openTable({ connectionString, embedded: false, collection, source });
  }
  const common = { collection: "products", path: "postgres:public.products" };

  test("cut off after a chunk was sent and before that was written down: the next one does not begin after the rows it has lost", async () => {
    await using deployment = await opened();
    let runId = "";
    {
      await using source = await tableOf(deployment);
      const { store } = deployment;
      const advance = store.advanceRun.bind(store);
      let marks = 0;
      store.advanceRun = async (...mark) => {
        marks += 1;
        // Chunks 0 to 2 are in the queue; on record is that chunk 2 was about to be sent.
        if (marks === 4) throw new Error("cut off");
        await advance(...mark);
      };
      const onStart = (id: string) => {
        runId = id;
      };
      await expect(backfill({ deployment, source, onStart, ...common })).rejects.toThrow("cut off");
      store.advanceRun = advance;
    }
    const run = await deployment.store.readRun(runId);
    expect(run).toMatchObject({
      chunksSent: 2,
      recordsRead: 200,
      position: { after: '["200"]', through: '["300"]' },
    });
    // Fewer rows in the range of the chunk: a hundred rows from its beginning would now reach beyond its end.
    await shop.shop.query("delete from products where id between 231 and 260");
    await using source = await tableOf(deployment);
    await deployment.runStages(["embed", "index"]);
    const result = await backfill({ deployment, source, resume: run, ...common });
    expect(result.state).toBe("done");
    const { rows } = await shop.medley.query("select id::int from medley.products order by 1");
    // The rows deleted meanwhile were in the queue already; their deletes wait in the outbox for a relay.
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 1));
    expect(await shop.waiting()).toBe(30);
  });

  test("a chunk whose rows are all gone when it is sent again ends the run all the same", async () => {
    await using deployment = await opened();
    await using source = await tableOf(deployment);
    const run = {
      runId: "r1",
      collection: "products",
      source: common.path,
      fingerprint: await source.fingerprint(),
      baseVersion: await source.snapshotVersion(),
      chunksSent: 0,
      recordsRead: 0,
      position: { after: null, through: '["900"]' },
      state: "running" as const,
      startedAtMs: Date.now(),
    };
    await deployment.store.createRun(run);
    await shop.shop.query("delete from products where id <= 900");
    await deployment.runStages(["embed", "index"]);
    const result = await backfill({ deployment, source, resume: run, ...common });
    expect(result).toMatchObject({
      state: "done",
      recordsRead: 100,
      progress: { chunksDone: 2, indexed: 100 },
    });
  });

  test("killed and resumed by the command, with writers and a relay meanwhile: the rows are the table's", async () => {
    await shop.insert({ from: 1_001, to: 8_000 });
    await Promise.all((["producer", "embedding-worker", "indexer"] as const).map((name) => shop.start(name)));
    await until(
      () => shop.waiting(),
      (left) => left < 6_500,
    );
    const command = shop.workplace.start(["backfill", common.path], { environment: shop.environment });
    const [, runId] = await command.said(/run (\S+):/);
    const progress = async () =>
      (await shop.medley.query("select chunks_sent as sent from medley_internal.backfill_run")).rows[0]
        ?.sent ?? 0;
    await until(progress, (sent) => sent >= 10);
    command.kill("SIGKILL");
    await command.ended;
    await shop.shop.query(
      "delete from products where id % 3 = 0; update products set price = 3 where id % 5 = 0",
    );
    const { data } = await shop.run(["backfill", "--resume", runId as string]);
    expect(data).toMatchObject({ state: "done", deadLetters: 0 });
    await shop.settled();
    expect(await shop.indexedRows()).toEqual(await shop.sourceRows());
  });
});
