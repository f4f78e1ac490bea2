/** The four services as processes of their own, meeting in a Postgres server and in each choice of lanes. */
import kafkajs from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServiceName } from "../service-process.ts";
import { deleteTopics } from "../transport/kafka-log.ts";
import { placesOf, post, until } from "./medley.fixture.ts";
import { Services, type Status } from "./services.fixture.ts";

const serverUrl = process.env.DATABASE_URL ?? "";
const brokers = process.env.KAFKA_BROKERS ?? "";
const redisUrl = process.env.REDIS_URL ?? "";

/** Which variables of the environment a choice needs, and what services are told. */
const choices = {
  "both lanes in Postgres": { needs: ["DATABASE_URL"], lanes: {} },
  "Kafka and Redis": {
    needs: ["DATABASE_URL", "KAFKA_BROKERS", "REDIS_URL"],
    lanes: { MEDLEY_KAFKA_BROKERS: brokers, MEDLEY_REDIS_URL: redisUrl },
  },
  "Kafka by another client, backfills in Postgres": {
    needs: ["DATABASE_URL", "KAFKA_BROKERS"],
    lanes: { MEDLEY_KAFKA_BROKERS: brokers, MEDLEY_KAFKA_CLIENT: "platformatic" },
  },
};

for (const [name, { needs, lanes }] of Object.entries(choices)) {
  const missing = needs.filter((variable) => process.env[variable] === undefined);
  const onKafka = needs.includes("KAFKA_BROKERS");
  describe.skipIf(missing.length > 0)(`services, ${name} (needs ${needs.join(", ")})`, () => {
    let services: Services;

    beforeAll(async () => {
      services = await Services.create(serverUrl, { environment: lanes });
    });

    afterAll(async () => {
      await services[Symbol.asyncDispose]();
      if (onKafka) await deleteTopics([brokers], services.database.prefix);
    });

    test("services refuse a database that is behind; `medley migrate` brings it up to date", async () => {
      const { workplace, environment } = services;
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
      const { workplace, environment } = services;
      const [producer, query, , doomed] = await Promise.all(
        (["producer", "query", "indexer", "embedding-worker", "embedding-worker"] as const).map((one) =>
          services.start(one),
        ),
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
      if (onKafka) await writeAsAStranger(`${services.database.prefix}-records`);
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
      // What a stranger writes to the topic is kept.
      expect(collections).toMatchObject([{ rowsLive: 500, deadLettersOpen: onKafka ? 1 : 0 }]);
      const [hit] = (await post(searchUrl, { parts: { title: "espresso and cake" }, k: 1 })).body.hits;
      expect(hit.fields.title).toContain("espresso");
    });

    test("each service has its own routes only", async () => {
      const urlOf = (service: ServiceName) => services.running.find((one) => one.name === service)?.url;
      const search = await post(`${urlOf("producer")}/v1/collections/places/search`, {});
      const records = await post(`${urlOf("query")}/v1/collections/places/records`, []);
      expect([search.status, records.status]).toEqual([404, 404]);
    });

    test("SIGTERM drains each service and ends it with 0", async () => {
      for (const service of services.running.filter((one) => one.running)) {
        expect([service.name, await service.end("SIGTERM"), service.log]).toEqual([
          service.name,
          [0, null],
          expect.stringContaining("draining"),
        ]);
      }
    });
  });
}

async function writeAsAStranger(topic: string): Promise<void> {
  const kafka = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: [{ key: "places/stranger", value: "hello" }] });
  await producer.disconnect();
}
