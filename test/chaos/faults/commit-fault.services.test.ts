/** The two moments at which a broken connection leaves a client not knowing what happened. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommitFault, type CommitMoment } from "./commit-fault.ts";
import { TcpProxy } from "./tcp-proxy.ts";

const serverUrl = new URL(process.env.DATABASE_URL ?? "postgres://localhost");

describe.skipIf(process.env.DATABASE_URL === undefined)("faults at a commit (needs DATABASE_URL)", () => {
  const database = `medley_commit_${randomBytes(6).toString("hex")}`;
  const fault = new CommitFault();
  let admin: pg.Client;
  let direct: pg.Client;
  let proxy: TcpProxy;

  function urlOf(host: string): string {
    const url = new URL(serverUrl);
    url.host = host;
    url.pathname = `/${database}`;
    return url.href;
  }

  beforeAll(async () => {
    admin = new pg.Client({ connectionString: serverUrl.href });
    await admin.connect();
    await admin.query(`create database ${database}`);
    direct = new pg.Client({ connectionString: urlOf(serverUrl.host) });
    await direct.connect();
    await direct.query("create schema medley_internal; create table medley_internal.written (n int)");
    const to = () => ({ host: serverUrl.hostname, port: Number(serverUrl.port || 5432) });
    proxy = await TcpProxy.open(to, () => fault.inspector());
  });

  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await direct?.end();
    await admin?.query(`drop database if exists ${database} with (force)`);
    await admin?.end();
  });

  const writes = {
    "a statement of its own": async (client: pg.Client, n: number) => {
      await client.query("insert into medley_internal.written values ($1)", [n]);
    },
    "a prepared statement, the second time": async (client: pg.Client, n: number) => {
      const text = "insert into medley_internal.written values ($1)";
      await client.query({ name: "write", text, values: [n] });
    },
    "a transaction": async (client: pg.Client, n: number) => {
      await client.query("begin");
      await client.query(`insert into medley_internal.written values (${n})`);
      await client.query("select 1");
      await client.query("commit");
    },
  };
  const cases = Object.keys(writes).flatMap((how) => [
    [how, "before_commit"] as const,
    [how, "after_commit"] as const,
  ]);

  test.for(cases)("%s, broken %s", async ([how, moment]) => {
    const n = 7;
    const write = writes[how as keyof typeof writes];
    const client = new pg.Client({ connectionString: urlOf(`127.0.0.1:${proxy.port}`) });
    client.on("error", () => {});
    await client.connect();
    await write(client, -1);
    const struck: CommitMoment[] = [];
    fault.arm(moment, (at) => struck.push(at));
    await expect(write(client, n)).rejects.toThrow(/ECONNRESET|terminated/);
    expect(struck).toEqual([moment]);
    // The server rolls back once it notices that the client is gone.
    const { rows } = await direct.query(
      "select count(*)::int as count from medley_internal.written where n = $1",
      [n],
    );
    expect(rows).toEqual([{ count: moment === "after_commit" ? 1 : 0 }]);
    await direct.query("truncate medley_internal.written");
  });
});
