import { randomBytes } from "node:crypto";
import pg from "pg";

/** A database of the run's own on a server, dropped when disposed. */
export class OwnDatabase implements AsyncDisposable {
  /** For prefixes of topics and keys: lower-case letters and digits with dashes. */
  readonly prefix = `medley-${randomBytes(6).toString("hex")}`;
  readonly url: string;
  readonly #serverUrl: string;
  readonly #name = this.prefix.replaceAll("-", "_");

  private constructor(serverUrl: string) {
    const url = new URL(serverUrl);
    url.pathname = `/${this.#name}`;
    this.url = url.href;
    this.#serverUrl = serverUrl;
  }

  static async create(serverUrl: string): Promise<OwnDatabase> {
    const database = new OwnDatabase(serverUrl);
    await onServer(serverUrl, `create database ${database.#name}`);
    return database;
  }

  /** As a server that restarts does to its clients. Returns how many connections there were. */
  async cutConnections(): Promise<number> {
    const sql = `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${this.#name}'`;
    return (await onServer(this.#serverUrl, sql)).rowCount ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await onServer(this.#serverUrl, `drop database if exists ${this.#name} with (force)`);
  }
}

/** One statement over a connection of its own. */
export async function onServer(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client.query(sql).finally(() => client.end());
}
