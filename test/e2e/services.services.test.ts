/** The four services as processes of their own, meeting in a Postgres server. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { placesOf, post, until, Workplace } from "./medley.fixture.ts";

const serverUrl = process.env.DATABASE_URL ?? "";
const database = `medley_e2e_${randomBytes(6).toString("hex")}`;
const services = join(import.meta.dirname, "../../services");
type ServiceName = "producer" | "embedding-worker" | "indexer" | "query";

interface Service {
  readonly name: ServiceName;
  readonly child: ChildProcess;
  readonly url: string;
  readonly log: () => string;
}

interface Status {
  readonly backlog: readonly { channel: "records" | "vectors"; waiting: number; inFlight: number }[];
  readonly collections: readonly { rowsLive: number; deadLettersOpen: number }[];
}

let workplace: Workplace;
let databaseUrl: string;
const running: Service[] = [];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function start(name: ServiceName): Promise<Service> {
  const port = await freePort();
  const child = spawn(process.execPath, [join(services, name, "src/main.ts")], {
    cwd: workplace.folder,
    env: {
      ...process.env,
      MEDLEY_DATABASE_URL: databaseUrl,
      MEDLEY_CONFIG: workplace.path("medley.config.json"),
      MEDLEY_HTTP_PORT: String(port),
      MEDLEY_MODEL_THREADS: "1",
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    log += text;
  });
  const service = { name, child, url: `http://127.0.0.1:${port}`, log: () => log };
  running.push(service);
  const isReady = async () => {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${log}`);
    return fetch(`${service.url}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    );
  };
  await until(isReady, (ready) => ready);
  return service;
}

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

describe.skipIf(process.env.DATABASE_URL === undefined)("services (needs DATABASE_URL)", () => {
  beforeAll(async () => {
    workplace = new Workplace();
    await onServer(`create database ${database}`);
    const url = new URL(serverUrl);
    url.pathname = `/${database}`;
    databaseUrl = url.href;
  });

  afterAll(async () => {
    const alive = running.filter(({ child }) => child.exitCode === null && child.signalCode === null);
    const ends = alive.map(({ child }) => once(child, "exit"));
    for (const { child } of alive) child.kill("SIGKILL");
    await Promise.all(ends);
    await onServer(`drop database if exists ${database} with (force)`);
    await workplace[Symbol.asyncDispose]();
  });

  test("services refuse a database that is behind; `medley migrate` brings it up to date", async () => {
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
      (["producer", "query", "indexer", "embedding-worker", "embedding-worker"] as const).map(start),
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
    const urlOf = (name: ServiceName) => running.find((service) => service.name === name)?.url;
    const search = await post(`${urlOf("producer")}/v1/collections/places/search`, {});
    const records = await post(`${urlOf("query")}/v1/collections/places/records`, []);
    expect([search.status, records.status]).toEqual([404, 404]);
  });

  test("SIGTERM drains each service and ends it with 0", async () => {
    for (const { name, child, log } of running.filter(({ child: one }) => one.signalCode === null)) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      expect([name, await ended, log()]).toEqual([name, [0, null], expect.stringContaining("draining")]);
    }
  });
});
