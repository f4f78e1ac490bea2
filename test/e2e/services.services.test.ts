/** The four services as processes of their own, meeting in a Postgres server and in each choice of lanes. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ServiceName, ServiceProcess } from "../service-process.ts";
import { placesOf, post, until, Workplace } from "./medley.fixture.ts";

const serverUrl = process.env.DATABASE_URL ?? "";

/** Which variables of the environment a choice needs, and what services are told. */
const choices = {
  "both lanes in Postgres": { needs: ["DATABASE_URL"], environment: {} },
  "Kafka and Redis": {
    needs: ["DATABASE_URL", "KAFKA_BROKERS", "REDIS_URL"],
    environment: {
      MEDLEY_KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? "",
      MEDLEY_REDIS_URL: process.env.REDIS_URL ?? "",
    },
  },
  "Kafka by another client, backfills in Postgres": {
    needs: ["DATABASE_URL", "KAFKA_BROKERS"],
    environment: {
      MEDLEY_KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? "",
      MEDLEY_KAFKA_CLIENT: "platformatic",
    },
  },
};

interface Status {
  readonly backlog: readonly { channel: "records" | "vectors"; waiting: number; inFlight: number }[];
  readonly collections: readonly { rowsLive: number; deadLettersOpen: number }[];
}

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

for (const [name, { needs, environment: lanes }] of Object.entries(choices)) {
  const missing = needs.filter((variable) => process.env[variable] === undefined);
  describe.skipIf(missing.length > 0)(`services, ${name} (needs ${needs.join(", ")})`, () => {
    const database = `medley_e2e_${randomBytes(6).toString("hex")}`;
    const running: ServiceProcess[] = [];
    let workplace: Workplace;
    let environment: Record<string, string>;

    beforeAll(async () => {
      workplace = new Workplace();
      await onServer(`create database ${database}`);
      const url = new URL(serverUrl);
      url.pathname = `/${database}`;
      environment = {
        ...lanes,
        MEDLEY_DATABASE_URL: url.href,
        MEDLEY_LANE_PREFIX: database.replaceAll("_", "-"),
      };
    });

    afterAll(async () => {
      await Promise.all(running.map((service) => service.end("SIGKILL")));
      await onServer(`drop database if exists ${database} with (force)`);
      await workplace[Symbol.asyncDispose]();
    });

    async function start(service: ServiceName): Promise<ServiceProcess> {
      const started = await ServiceProcess.start(service, {
        folder: workplace.folder,
        environment: { ...environment, MEDLEY_CONFIG: "medley.config.json", MEDLEY_MODEL_THREADS: "1" },
      });
      running.push(started);
      return started;
    }

    test("services refuse a database that is behind; `medley migrate` brings it up to date", async () => {
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

    test("300 records over HTTP and 200 of a file are found, though one of two embedding-workers is killed while it works", async () => {
      const [producer, query, , doomed] = await Promise.all(
        (["producer", "query", "indexer", "embedding-worker", "embedding-worker"] as const).map(start),
      );
      const records = placesOf(500).map((record) => ({
        ...record,
        title: `${record.title} ${"and more of it ".repeat(8)}`,
      }));
      workplace.write("places.json", JSON.stringify(records.slice(300)));
      const backfilled = workplace.runJson(["backfill", "places.json"], { environment });
      for (let at = 0; at < 300; at += 30) {
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
      await until(found, (hits) => hits > 0);
      await doomed?.end("SIGKILL");
      expect(await backfilled).toMatchObject({ exitCode: 0, data: { indexed: 200, deadLetters: 0 } });
      expect(await until(found, (hits) => hits === 500)).toBe(500);
      const { collections } = await until(status, ({ backlog }) =>
        backlog.every(({ waiting, inFlight }) => waiting + inFlight === 0),
      );
      expect(collections).toMatchObject([{ rowsLive: 500, deadLettersOpen: 0 }]);
      const [hit] = (await post(searchUrl, { parts: { title: "espresso and cake" }, k: 1 })).body.hits;
      expect(hit.fields.title).toContain("espresso");
    });

    test("each service has its own routes only", async () => {
      const urlOf = (service: ServiceName) => running.find((one) => one.name === service)?.url;
      const search = await post(`${urlOf("producer")}/v1/collections/places/search`, {});
      const records = await post(`${urlOf("query")}/v1/collections/places/records`, []);
      expect([search.status, records.status]).toEqual([404, 404]);
    });

    test("SIGTERM drains each service and ends it with 0", async () => {
      for (const service of running.filter((one) => one.running)) {
        expect([service.name, await service.end("SIGTERM"), service.log]).toEqual([
          service.name,
          [0, null],
          expect.stringContaining("draining"),
        ]);
      }
    });
  });
}
