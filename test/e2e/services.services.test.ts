/** The four services as processes of their own, meeting in a Postgres server. */
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { placesOf, post, until } from "./medley.fixture.ts";
import { type ServiceName, Services, type Status } from "./services.fixture.ts";

const serverUrl = process.env.DATABASE_URL;

describe.skipIf(serverUrl === undefined)("services (needs DATABASE_URL)", () => {
  let services: Services;

  beforeAll(async () => {
    services = new Services(serverUrl as string);
    await services.createDatabase();
  });

  afterAll(() => services[Symbol.asyncDispose]());

  test("services refuse a database that is behind; `medley migrate` brings it up to date", async () => {
    const { workplace, databaseUrl } = services;
    const environment = { MEDLEY_DATABASE_URL: databaseUrl };
    const before = await workplace.runJson(["status"], { environment });
    expect(before.error).toMatchObject({
      code: "schema_behind",
      mend: expect.stringContaining("medley migrate"),
    });
    expect((await workplace.runJson(["migrate", "--check"], { environment })).exitCode).toBe(1);
    expect((await workplace.runJson(["migrate"], { environment })).exitCode).toBe(0);
    const check = await workplace.runJson(["migrate", "--check"], { environment });
    expect(check).toMatchObject({ exitCode: 0, data: { pending: [] } });
  });

  test("300 records over HTTP are searched over HTTP, though one of two embedding-workers is killed while it works", async () => {
    const [producer, query, , doomed] = await Promise.all(
      (["producer", "query", "indexer", "embedding-worker", "embedding-worker"] as const).map((name) =>
        services.start(name),
      ),
    );
    const records = placesOf(300).map((record) => ({
      ...record,
      title: `${record.title} ${"and more of it ".repeat(20)}`,
    }));
    for (let at = 0; at < records.length; at += 30) {
      const { status, body } = await post(
        `${producer?.url}/v1/collections/places/records`,
        records.slice(at, at + 30),
      );
      expect([status, body]).toEqual([202, { accepted: 30, rejected: [] }]);
    }
    const searchUrl = `${query?.url}/v1/collections/places/search`;
    const found = async () =>
      (await post(searchUrl, { parts: { price: 0 }, k: 1_000 })).body.hits.length as number;
    const status = async () => {
      const answer = await fetch(`${producer?.url}/v1/status`);
      return (await answer.json()) as Status;
    };
    await until(status, ({ backlog }) => (backlog[0]?.inFlight ?? 0) > 0);
    doomed?.child.kill("SIGKILL");
    expect(await until(found, (hits) => hits === 300)).toBe(300);
    const { backlog, collections } = await until(status, ({ backlog: now }) => {
      return now.every(({ waiting, inFlight }) => waiting + inFlight === 0);
    });
    expect([backlog.length, collections[0]?.rowsLive, collections[0]?.deadLettersOpen]).toEqual([2, 300, 0]);
    const [hit] = (await post(searchUrl, { parts: { title: "espresso and cake" }, k: 1 })).body.hits;
    expect(hit.fields.title).toContain("espresso");
  });

  test("each service has its own routes only", async () => {
    const urlOf = (name: ServiceName) => services.running.find((service) => service.name === name)?.url;
    const search = await post(`${urlOf("producer")}/v1/collections/places/search`, {});
    const records = await post(`${urlOf("query")}/v1/collections/places/records`, []);
    expect([search.status, records.status]).toEqual([404, 404]);
  });

  test("SIGTERM drains each service and ends it with 0", async () => {
    for (const { name, child, log } of services.running.filter(({ child: one }) => one.signalCode === null)) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      expect([name, await ended, log()]).toEqual([name, [0, null], expect.stringContaining("draining")]);
    }
  });
});
