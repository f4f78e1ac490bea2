/** Topics of the user's as sources: messages as Debezium and CloudEvents producers write them become rows, through the services. */
import { randomBytes } from "node:crypto";
import kafkajs from "kafkajs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OwnDatabase } from "../own-database.ts";
import { type ServiceName, ServiceProcess } from "../service-process.ts";
import { deleteTopics } from "../transport/kafka-log.ts";
import { until, Workplace } from "./medley.fixture.ts";

const needs = ["DATABASE_URL", "KAFKA_BROKERS"];
const missing = needs.filter((variable) => process.env[variable] === undefined);
const brokers = (process.env.KAFKA_BROKERS ?? "").split(",");
const prefix = `medley-topics-${randomBytes(6).toString("hex")}`;
const topics = {
  products: `${prefix}.shop.public.products`,
  stock: `${prefix}.shop.public.stock`,
  places: `${prefix}.places`,
  items: `${prefix}.items`,
};

const price = { price: { encoder: "number", field: "price", range: [0, 100_000] } };

function configWith(itemsId: string) {
  const topic = (name: keyof typeof topics, rest: object) => ({
    kind: "topic",
    topic: topics[name],
    ...rest,
  });
  return {
    collections: {
      products: {
        fields: { name: "text", price: "number", made: "timestamp", face: "vector(2)" },
        spaces: { ...price, face: { encoder: "vector", field: "face" } },
        sources: [topic("products", { format: "debezium", map: { name: "title" } })],
      },
      stock: {
        version: "lsn",
        fields: { price: "number" },
        spaces: price,
        sources: [topic("stock", { format: "debezium", version: "$source.lsn" })],
      },
      places: {
        fields: { kind: "category", price: "number" },
        spaces: { ...price, kind: { encoder: "category", field: "kind", values: ["bar", "park"] } },
        sources: [
          topic("places", {
            format: "cloudevents",
            deleteWhen: { path: "$event.type", is: "place.deleted.*" },
          }),
        ],
      },
      items: {
        fields: { price: "number", seen: "timestamp" },
        spaces: price,
        sources: [
          topic("items", {
            format: "json",
            id: itemsId,
            map: { price: "cost.amount", seen: { path: "at", unit: "s" } },
          }),
        ],
      },
    },
  };
}

interface Sent {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly headers?: Record<string, string>;
  readonly partition?: number;
  readonly timestampMs?: number;
}

const textOf = (value: unknown) =>
  value === undefined || value === null || Buffer.isBuffer(value) ? (value ?? null) : JSON.stringify(value);

const startMs = Date.now() - 60_000;

function change(op: string, after: object | null, lsn: number, before: object | null = null): object {
  const source = { version: "3.0.8.Final", connector: "postgresql", ts_ms: startMs, db: "shop", lsn };
  return { before, after, source, transaction: null, op, ts_ms: startMs };
}

/** As the JsonConverter writes it with its schema. */
function changeWithSchema(op: string, after: object, lsn: number): object {
  const fields = [
    { type: "int32", optional: false, field: "id" },
    { type: "string", optional: true, field: "title" },
    {
      type: "bytes",
      optional: true,
      name: "org.apache.kafka.connect.data.Decimal",
      version: 1,
      parameters: { scale: "2" },
      field: "price",
    },
    { type: "int32", optional: true, name: "io.debezium.time.Date", version: 1, field: "made" },
    {
      type: "array",
      items: { type: "double" },
      optional: true,
      name: "io.debezium.data.DoubleVector",
      field: "face",
    },
  ];
  const row = { type: "struct", fields, optional: true, name: "shop.public.products.Value", field: "after" };
  const schema = { type: "struct", fields: [row], optional: false, name: "shop.public.products.Envelope" };
  return { schema, payload: change(op, after, lsn) };
}

describe.skipIf(missing.length > 0)(`topics as sources (needs ${needs.join(", ")})`, () => {
  const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  const writer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  const running: ServiceProcess[] = [];
  let database: OwnDatabase;
  let workplace: Workplace;
  let pool: pg.Pool;
  let environment: Record<string, string>;

  beforeAll(async () => {
    workplace = new Workplace(configWith("sku"));
    database = await OwnDatabase.create(process.env.DATABASE_URL ?? "");
    pool = new pg.Pool({ connectionString: database.url, max: 2 });
    environment = {
      MEDLEY_DATABASE_URL: database.url,
      MEDLEY_KAFKA_BROKERS: brokers.join(),
      MEDLEY_LANE_PREFIX: prefix,
    };
    await Promise.all([admin.connect(), writer.connect()]);
    await admin.createTopics({
      topics: Object.values(topics).map((topic) => ({ topic, numPartitions: 3, replicationFactor: 1 })),
    });
    expect((await workplace.runJson(["migrate"], { environment })).exitCode).toBe(0);
  });

  afterAll(async () => {
    await Promise.all(running.map((service) => service.end("SIGKILL")));
    await Promise.all([admin.disconnect(), writer.disconnect(), pool.end()]);
    await deleteTopics(brokers, prefix);
    await database[Symbol.asyncDispose]();
    await workplace[Symbol.asyncDispose]();
  });

  async function start(service: ServiceName): Promise<ServiceProcess> {
    const started = await ServiceProcess.start(service, {
      folder: workplace.folder,
      environment: { ...environment, MEDLEY_CONFIG: "medley.config.json" },
    });
    running.push(started);
    return started;
  }

  async function write(topic: keyof typeof topics, messages: readonly Sent[]): Promise<void> {
    await writer.send({
      topic: topics[topic],
      messages: messages.map(({ key, value, headers = {}, partition, timestampMs }) => ({
        key: typeof key === "string" ? key : (textOf(key) as string | null),
        value: textOf(value) as string | null,
        headers,
        ...(partition === undefined ? {} : { partition }),
        ...(timestampMs === undefined ? {} : { timestamp: String(timestampMs) }),
      })),
    });
  }

  async function rowsOf<Row extends object>(sql: string): Promise<Row[]> {
    return (await pool.query(sql)).rows;
  }

  const letters = () =>
    rowsOf<{ source: string; code: string; reason: string; record_id: string | null; failures: number }>(
      "select source, code, reason, record_id, failures from medley_internal.dead_letters order by source",
    );

  async function backlog(): Promise<number> {
    const answer = await fetch(`${producer().url}/v1/status`);
    const { backlog: channels } = (await answer.json()) as {
      backlog: { waiting: number; inFlight: number }[];
    };
    return channels.reduce((sum, { waiting, inFlight }) => sum + waiting + inFlight, 0);
  }

  const producer = () => running.findLast(({ name }) => name === "producer") as ServiceProcess;

  test("config shows the sources, doctor says which topics are there, and none is read without brokers", async () => {
    const config = await workplace.run(["config"], { environment });
    expect(config.stdout).toMatch(
      new RegExp(`products +topic ${topics.products} +debezium +${prefix}-products-`),
    );
    const doctor = await workplace.runJson(["doctor"], { environment });
    const found = doctor.data.filter(({ name }: { name: string }) => name === "topic");
    expect(found.map(({ ok }: { ok: boolean }) => ok)).toEqual([true, true, true, true]);
    const without = { ...environment, MEDLEY_KAFKA_BROKERS: "" };
    const up = await workplace.runJson(["up"], { environment: without });
    expect(up.error).toMatchObject({
      code: "usage",
      message: `collection products reads topic ${topics.products}, but no Kafka is configured`,
    });
  });

  test("a topic that is missing ends the producer at its start, and doctor names it", async () => {
    const products = configWith("sku").collections.products;
    const sources = [{ kind: "topic", topic: `${prefix}.gone`, format: "json" }];
    workplace.write("gone.json", JSON.stringify({ collections: { products: { ...products, sources } } }));
    const doctor = await workplace.runJson(["--config", "gone.json", "doctor"], { environment });
    expect(doctor.exitCode).toBe(1);
    expect(doctor.data.at(-1)).toMatchObject({
      name: "topic",
      ok: false,
      detail: expect.stringContaining(`no topic ${prefix}.gone`),
    });
  });

  test("Debezium: snapshot, changes, deletes and tombstones become rows, poison becomes dead letters", async () => {
    await Promise.all((["producer", "embedding-worker", "indexer"] as const).map(start));
    const first = [1, 2, 3, 4].map((id) => ({
      key: { id },
      // 1250 at scale 2; the day 19844 is 2024-05-01.
      value: changeWithSchema(
        "r",
        { id, title: `spade ${id}`, price: "BOI=", made: 19_844, face: [1, id] },
        100,
      ),
      partition: 0,
    }));
    const row = { title: "rake", price: 9, made: "2024-05-02", face: [0, 1] };
    await write("products", [
      ...first,
      { key: { id: 1 }, value: change("u", { id: 1, ...row }, 110), partition: 0 },
      { key: { id: 2 }, value: change("d", null, 120, { id: 2 }), partition: 0 },
      { key: { id: 2 }, value: null, partition: 0 },
      { key: { id: 3 }, value: Buffer.from("{not json"), partition: 0 },
      { key: { id: 3 }, value: change("t", null, 130), partition: 0 },
      {
        key: { id: 3 },
        value: change("u", { ...row, id: 3, title: "__debezium_unavailable_value" }, 140),
        partition: 0,
      },
      { key: { id: 4 }, value: { id: 4, ...row, __deleted: "true" }, partition: 0 },
      { key: { id: 5 }, value: change("c", { id: 5, ...row }, 150), partition: 0 },
      { key: { id: 6 }, value: change("c", { id: 6, ...row, price: { euro: 1 } }, 160), partition: 0 },
    ]);
    const rows = () =>
      rowsOf("select id, name, price, made at time zone 'utc' as made from medley.products order by id");
    await until(rows, (found) => found.map((one) => (one as { id: string }).id).join() === "1,3,5");
    expect(await rows()).toMatchObject([
      { id: "1", name: "rake", price: 9 },
      { id: "3", name: "spade 3", price: 12.5 },
      { id: "5", name: "rake", price: 9 },
    ]);
    expect(await until(letters, (found) => found.length === 4)).toMatchObject([
      {
        source: `${topics.products}[0]@12`,
        code: "record_invalid",
        record_id: "6",
        reason: expect.stringContaining('"price"'),
      },
      { source: `${topics.products}[0]@7`, code: "body_malformed", record_id: null },
      {
        source: `${topics.products}[0]@8`,
        code: "record_invalid",
        reason: expect.stringContaining("TRUNCATE"),
      },
      {
        source: `${topics.products}[0]@9`,
        code: "record_invalid",
        record_id: "3",
        reason: expect.stringContaining("replica identity full"),
      },
    ]);
  });

  test("a topic that is read again from its beginning changes nothing: each message has the version it had", async () => {
    const written = () =>
      rowsOf("select id, version::text, indexed_at, deleted_at from medley_internal.products_g1 order by id");
    const before = await written();
    expect(await producer().end("SIGTERM")).toEqual([0, null]);
    const groupId = `${prefix}-products-${topics.products}`;
    await admin.resetOffsets({ groupId, topic: topics.products, earliest: true });
    await start("producer");
    // The letters have come once more when everything before and between them was read.
    await until(letters, (found) => found.every(({ failures }) => failures === 2));
    await write("products", [
      { key: { id: 9 }, value: change("c", { id: 9, title: "last" }, 170), partition: 0 },
    ]);
    await until(written, (found) => found.length === before.length + 1);
    await until(backlog, (waiting) => waiting === 0);
    expect((await written()).slice(0, before.length)).toEqual(before);
    expect((await letters()).length).toBe(4);
  });

  test("with the log's position as the version the newest change wins, whatever partition and order it comes in", async () => {
    const key = { id: 1 };
    await write("stock", [
      { key, value: change("r", { id: 1, price: 1 }, 100), partition: 0 },
      { key, value: change("u", { id: 1, price: 3 }, 300), partition: 2 },
      { key: { id: 2 }, value: change("c", { id: 2, price: 5 }, 400), partition: 1 },
    ]);
    const rows = () => rowsOf("select id, price, version::int from medley_internal.stock_g1 order by id");
    await until(rows, (found) => found.length === 2);
    await write("stock", [
      { key, value: change("u", { id: 1, price: 2 }, 200), partition: 1, timestampMs: Date.now() },
      { key: { id: 2 }, value: change("d", null, 500), partition: 1 },
      { key: { id: 2 }, value: null, partition: 1 },
      { key: { id: 2 }, value: change("u", { id: 2, price: 6 }, 450), partition: 0 },
      { key: { id: 3 }, value: change("c", { id: 3, price: 7 }, 600), partition: 1 },
      { key: { id: 4 }, value: change("c", { id: 4, price: 8 }, 700), partition: 0 },
    ]);
    await until(rows, (found) => found.length === 4);
    expect(await rows()).toEqual([
      { id: "1", price: 3, version: 300 },
      { id: "2", price: null, version: 500 },
      { id: "3", price: 7, version: 600 },
      { id: "4", price: 8, version: 700 },
    ]);
  });

  test("CloudEvents of both modes are one stream of upserts and deletes", async () => {
    const event = (id: string, type: string) => ({
      specversion: "1.0",
      id: `${id}-${type}`,
      source: "/places",
      type,
      subject: id,
    });
    const headers = (id: string, type: string) =>
      Object.fromEntries(Object.entries(event(id, type)).map(([name, value]) => [`ce_${name}`, value]));
    const structured = { "content-type": "application/cloudevents+json" };
    await write("places", [
      {
        value: { kind: "bar", price: 1 },
        headers: { ...headers("a", "place.made.v1"), "content-type": "application/json" },
        partition: 0,
      },
      {
        value: { ...event("b", "place.made.v1"), data: { kind: "park", price: 2 } },
        headers: structured,
        partition: 0,
      },
      { value: { ...event("c", "place.made.v1"), data: { price: 3 } }, headers: structured, partition: 0 },
      { headers: headers("a", "place.deleted.v2"), partition: 0 },
      {
        value: { price: 4 },
        headers: { ...headers("c", "place.changed.v1"), "content-type": "application/json" },
        partition: 0,
      },
      { value: { price: 5 }, partition: 0 },
    ]);
    const rows = () => rowsOf("select id, kind, price from medley.places order by id");
    await until(letters, (found) => found.length === 5);
    const last = await until(
      rows,
      (found) => found.length === 2 && found.some((one) => (one as { price: number }).price === 4),
    );
    expect(last).toEqual([
      { id: "b", kind: "park", price: 2 },
      { id: "c", kind: null, price: 4 },
    ]);
  });

  test("a producer that is killed in the middle of JSON messages loses none", async () => {
    const count = 6_000;
    const messages = Array.from({ length: count }, (_, n) => ({
      key: `k${n % 50}`,
      value: { sku: `i${n}`, cost: { amount: n, currency: "EUR" }, at: 1_714_564_800 + n },
    }));
    const rows = async () =>
      Number((await rowsOf<{ n: string }>("select count(*) as n from medley.items"))[0]?.n);
    const writeSome = async (from: number, to: number) => {
      for (let at = from; at < to; at += 500) await write("items", messages.slice(at, at + 500));
    };
    await writeSome(0, count / 3);
    await until(rows, (found) => found > 0);
    const writing = writeSome(count / 3, (2 * count) / 3);
    await producer().end("SIGKILL");
    await writing;
    await writeSome((2 * count) / 3, count);
    await start("producer");
    await until(rows, (found) => found === count);
    const [sums] = await rowsOf(
      "select sum(price)::int as price, count(distinct seen)::int as seen from medley.items",
    );
    expect(sums).toEqual({ price: (count * (count - 1)) / 2, seen: count });
    expect((await letters()).length).toBe(5);
  });

  test("messages that were refused for a mapping are replayed by the mended one, with the versions they had", async () => {
    await write("items", [
      { key: "m1", value: { cost: { amount: 1 } }, partition: 0 },
      { key: "m1", value: { sku: "m1", cost: { amount: 2 } }, partition: 0 },
      { key: "m2", value: { cost: { amount: 3 } }, partition: 0 },
    ]);
    await until(letters, (found) => found.length === 7);
    const rows = () => rowsOf("select id, price from medley.items where id like 'm%' order by id");
    await until(rows, (found) => found.length === 1);
    workplace.write("medley.config.json", JSON.stringify(configWith("$key")));
    const replayed = await workplace.runJson(["dead-letters", "replay", "-c", "items"], { environment });
    expect(replayed.data).toMatchObject({ found: 2, replayed: 2, refused: [] });
    await until(rows, (found) => found.length === 2);
    expect(await rows()).toEqual([
      { id: "m1", price: 2 },
      { id: "m2", price: 3 },
    ]);
  });
});
