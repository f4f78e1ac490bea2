/** The services with their stream on Kafka. */
import { once } from "node:events";
import kafkajs from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deleteTopics, prefixOf } from "../transport/kafka-log.ts";
import { placesOf, post, until } from "./medley.fixture.ts";
import { Services, type Status } from "./services.fixture.ts";

const serverUrl = process.env.DATABASE_URL;
const brokers = process.env.KAFKA_BROKERS;
const isThere = serverUrl !== undefined && brokers !== undefined;

for (const client of ["kafkajs", "platformatic"]) {
  describe.skipIf(!isThere)(`services on Kafka by ${client} (needs DATABASE_URL and KAFKA_BROKERS)`, () => {
    const prefix = prefixOf();
    let services: Services;

    beforeAll(async () => {
      services = new Services(serverUrl as string, {
        MEDLEY_KAFKA_BROKERS: brokers as string,
        MEDLEY_KAFKA_CLIENT: client,
        MEDLEY_LANE_PREFIX: prefix,
      });
      await services.createDatabase();
      const environment = { MEDLEY_DATABASE_URL: services.databaseUrl };
      expect((await services.workplace.runJson(["migrate"], { environment })).exitCode).toBe(0);
    });

    afterAll(async () => {
      await services[Symbol.asyncDispose]();
      await deleteTopics([brokers as string], prefix);
    });

    test("600 records over HTTP are indexed, though a worker is killed and a stranger writes to the topic", async () => {
      const [producer, , , doomed] = await Promise.all(
        (["producer", "indexer", "embedding-worker", "embedding-worker"] as const).map((name) =>
          services.start(name),
        ),
      );
      const status = async () => (await fetch(`${producer?.url}/v1/status`).then((r) => r.json())) as Status;
      const records = placesOf(600);
      for (let at = 0; at < records.length; at += 30) {
        const url = `${producer?.url}/v1/collections/places/records`;
        const { status: code, body } = await post(url, records.slice(at, at + 30));
        expect([code, body]).toEqual([202, { accepted: 30, rejected: [] }]);
        if (at === 300) await writeAsAStranger(`${prefix}-records`);
      }
      await until(status, ({ collections }) => (collections[0]?.rowsLive ?? 0) > 0);
      doomed?.child.kill("SIGKILL");
      const { collections } = await until(
        status,
        ({ backlog, collections: now }) =>
          now[0]?.rowsLive === 600 && backlog.every(({ waiting, inFlight }) => waiting + inFlight === 0),
      );
      expect(collections[0]?.deadLettersOpen).toBe(1);
    });

    test("SIGTERM drains each service and ends it with 0", async () => {
      for (const { name, child, log } of services.running.filter(
        ({ child: one }) => one.signalCode === null,
      )) {
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        expect([name, await ended, log()]).toEqual([name, [0, null], expect.stringContaining("draining")]);
      }
    });
  });
}

async function writeAsAStranger(topic: string): Promise<void> {
  const kafka = new kafkajs.Kafka({ brokers: [brokers as string], logLevel: kafkajs.logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: [{ key: "places/stranger", value: "hello" }] });
  await producer.disconnect();
}
