/** A Postgres of one's own, as an administrator sets it up: migrations as text, roles for services and readers, the index. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { onServer } from "../own-database.ts";
import { type ServiceName, ServiceProcess } from "../service-process.ts";
import { jsonLines, placesOf, post, until, Workplace } from "./medley.fixture.ts";

const serverUrl = process.env.DATABASE_URL ?? "";
const suffix = randomBytes(4).toString("hex");
const database = `medley_roles_${suffix}`;
const owner = `medley_owner_${suffix}`;
const app = `medley_app_${suffix}`;
const reader = `medley_read_${suffix}`;

// Without text: what is tested needs no model.
const fields = { title: "text", kinds: "categories", price: "number" };
const spaces = {
  kinds: { encoder: "category", field: "kinds", values: ["bar", "cafe", "park"] },
  price: { encoder: "number", field: "price", range: [0, 100] },
};
const recordsOf = (count: number) =>
  placesOf(count).map(({ id, title, kinds, price }) => ({ id, title, kinds, price }));
const collections = (...names: string[]) => ({
  collections: Object.fromEntries(names.map((name) => [name, { fields, spaces }])),
});

let workplace: Workplace;
const running: ServiceProcess[] = [];

function urlOf(role: string): string {
  const url = new URL(serverUrl);
  Object.assign(url, { pathname: `/${database}`, username: role, password: role });
  return url.href;
}

const as = (role: string) => ({ environment: { MEDLEY_DATABASE_URL: urlOf(role) } });

async function startService(name: ServiceName): Promise<void> {
  const service = await ServiceProcess.start(name, {
    folder: workplace.folder,
    environment: {
      MEDLEY_DATABASE_URL: urlOf(app),
      MEDLEY_CONFIG: "medley.config.json",
      MEDLEY_MODEL_THREADS: "1",
    },
  });
  running.push(service);
  expect(service.log).not.toMatch(/"level":(40|50)/);
}

const httpOf = (name: ServiceName) => `${running.find((service) => service.name === name)?.url}/v1`;

describe.skipIf(process.env.DATABASE_URL === undefined)("roles (needs DATABASE_URL)", () => {
  beforeAll(async () => {
    workplace = new Workplace(collections("places"));
    for (const role of [owner, app, reader])
      await onServer(serverUrl, `create role ${role} login password '${role}'`);
    await onServer(serverUrl, `create database ${database} owner ${owner}`);
    // The only step that needs an administrator.
    const url = new URL(serverUrl);
    url.pathname = `/${database}`;
    await onServer(url.href, "create extension vector");
  });

  afterAll(async () => {
    await Promise.all(running.map((service) => service.end("SIGKILL")));
    await onServer(serverUrl, `drop database if exists ${database} with (force)`);
    for (const role of [owner, app, reader]) await onServer(serverUrl, `drop role if exists ${role}`);
    await workplace[Symbol.asyncDispose]();
  });

  test("what `migrate --sql` prints, run as the owner, is all there is to do", async () => {
    const args = ["migrate", "--role-app", app, "--role-read", reader];
    const before = await workplace.runJson([...args, "--check"], as(owner));
    expect(before.exitCode).toBe(1);
    expect(before.data.pending).toEqual(
      expect.arrayContaining([
        "0001-foundation.sql",
        "schema bullmq",
        `grants to ${app}`,
        `grants to ${reader}`,
      ]),
    );
    const { stdout, code } = await workplace.run([...args, "--sql"], as(owner));
    expect(code).toBe(0);
    await onServer(urlOf(owner), stdout);
    expect(await workplace.runJson(["migrate", "--check"], as(owner))).toMatchObject({
      exitCode: 0,
      data: { pending: [], roles: [] },
    });
    expect((await workplace.runJson([...args], as(owner))).data).toEqual({ applied: [], granted: [] });
    expect((await workplace.run([...args, "--sql"], as(owner))).stdout.trim()).toBe("");
  });

  test("a role that is not there is refused with what to run; the services' role may not migrate", async () => {
    const missing = await workplace.runJson(["migrate", "--role-app", "nobody-has-this"], as(owner));
    expect(missing.error).toMatchObject({
      code: "role_unknown",
      mend: expect.stringContaining('create role "nobody-has-this" login'),
    });
    workplace.write("medley.config.json", JSON.stringify(collections("places", "more")));
    const refused = await workplace.runJson(["migrate"], as(app));
    expect(refused.error).toMatchObject({ code: "schema_behind", mend: expect.stringContaining("owner") });
  });

  test("a new collection is granted with its migration", async () => {
    expect((await workplace.runJson(["migrate"], as(owner))).data).toMatchObject({
      applied: ["collection more"],
      granted: expect.arrayContaining([
        `grant select, insert, update on table medley_internal.more_g1 to ${app}`,
        `grant select on table medley.more to ${reader}`,
      ]),
    });
  });

  test("the services run as the application's role: records, deletes, dead letters, a backfill, status, searches", async () => {
    for (const name of ["producer", "embedding-worker", "indexer", "query"] as const)
      await startService(name);
    const sent = await post(`${httpOf("producer")}/collections/places/records`, recordsOf(50));
    expect([sent.status, sent.body.accepted]).toEqual([202, 50]);
    const gone = await post(`${httpOf("producer")}/collections/places/records`, [
      { id: "p0", _op: "delete" },
    ]);
    expect(gone.status).toBe(202);
    workplace.write("more.jsonl", `${jsonLines(recordsOf(250))}{"id":"bad","price":"none"}\n`);
    const run = await workplace.runJson(["backfill", "more.jsonl"], as(app));
    expect(run).toMatchObject({ exitCode: 4, data: { state: "done", indexed: 250, deadLetters: 1 } });
    const found = async () =>
      (await post(`${httpOf("query")}/collections/places/search`, { parts: { price: 10 }, k: 100 })).body
        .hits;
    expect(await until(found, (hits) => hits.length === 49)).toHaveLength(49);
    const status = await workplace.runJson(["status"], as(app));
    expect(status.data.collections).toMatchObject([
      { collection: "places", rowsLive: 49, tombstones: 1 },
      { collection: "more", rowsLive: 250, deadLettersOpen: 1 },
    ]);
    const [letter] = (await workplace.runJson(["dead-letters", "list"], as(app))).data;
    expect(letter).toMatchObject({ code: "record_invalid" });
    // Idle connections are closed after a while: each is made to ask something first.
    for (const { name } of running) expect((await fetch(`${httpOf(name)}/status`)).status).toBe(200);
    const { rows } = await onServer(
      serverUrl,
      `select distinct application_name as name from pg_stat_activity where usename = '${app}'`,
    );
    expect(rows.map(({ name }) => name)).toEqual(
      expect.arrayContaining(running.map(({ name }) => `medley ${name}`)),
    );
    expect(running.map(({ log }) => log).join("")).not.toMatch(/permission denied/);
  });

  test("a backfill whose sender is gone is done all the same", async () => {
    const sent = await workplace.runJson(["backfill", "more.jsonl", "--detach"], as(app));
    expect(sent.data.state).toBe("sent");
    const stateOf = async () =>
      (await workplace.runJson(["status"], as(app))).data.runs.find(
        (run: { runId: string }) => run.runId === sent.data.runId,
      ).state;
    expect(await until(stateOf, (state) => state === "done")).toBe("done");
  });

  test("the index: missed by the services' role, built by the owner; dropped for a load and built after it", async () => {
    workplace.write("many.jsonl", jsonLines(recordsOf(10_000)));
    workplace.write("few.jsonl", jsonLines(recordsOf(5)));
    const backfill = (role: string, file: string, ...options: string[]) =>
      workplace.runJson(["backfill", file, "-c", "more", ...options], as(role));
    expect((await backfill(app, "many.jsonl")).data).toMatchObject({ state: "done", index: "missing" });
    expect((await workplace.run(["status"], as(app))).stdout).toContain(
      "the indexes of more are missing: medley index more",
    );
    expect((await workplace.runJson(["index"], as(app))).error).toMatchObject({ code: "permission_denied" });
    expect((await workplace.runJson(["index"], as(owner))).data).toMatchObject({
      indexes: [{ collection: "more", state: "built", rows: 10_000 }],
    });
    expect((await backfill(app, "few.jsonl", "--index", "after")).error).toMatchObject({
      code: "permission_denied",
    });
    const detached = await backfill(owner, "few.jsonl", "--index", "after", "--detach");
    expect(detached.error).toMatchObject({ code: "usage", mend: expect.stringContaining("--drop") });
    const { stderr, code } = await workplace.run(
      ["backfill", "many.jsonl", "-c", "more", "--index", "after"],
      as(owner),
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining("dropped the indexes of more")]);
    expect((await workplace.runJson(["index", "more"], as(owner))).data.indexes).toMatchObject([
      { state: "kept" },
    ]);
    expect((await workplace.runJson(["index", "more", "--drop"], as(owner))).data).toEqual({
      dropped: ["more"],
    });
    expect((await backfill(owner, "few.jsonl", "--index", "keep")).data.index).toBe("missing");
    expect((await backfill(owner, "few.jsonl")).data.index).toBe("ready");
    const unknown = await workplace.runJson(["index", "mor"], as(owner));
    expect(unknown.error).toMatchObject({
      code: "collection_unknown",
      mend: expect.stringContaining("more"),
    });
  });

  test("the reader searches and can't write", async () => {
    const asked = `select id from medley.search('places', medley.query('places', '{"price": 10}'), 3)`;
    expect((await onServer(urlOf(reader), asked)).rows).toHaveLength(3);
    await expect(onServer(urlOf(reader), "delete from medley.places")).rejects.toMatchObject({
      code: "42501",
    });
    await expect(onServer(urlOf(reader), "select from bullmq.job")).rejects.toMatchObject({ code: "42501" });
  });
});
