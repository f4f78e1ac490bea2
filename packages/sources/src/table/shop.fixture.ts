import { randomBytes } from "node:crypto";
import { type Collection, checkConfig } from "@medley/core";
import pg from "pg";
import { installOutbox } from "./outbox.ts";
import { connect, type TableDatabaseOptions } from "./table-database.ts";
import { type ChangeBatch, openRelay, type TableRelay, type TableRelayOptions } from "./table-relay.ts";
import { planOf } from "./table-source.ts";

/** A database of its own on the server of `DATABASE_URL`; its default isolation is one that a relay must not depend on. */
export class ShopDatabase implements AsyncDisposable {
  readonly options: TableDatabaseOptions;
  readonly #name: string;
  readonly #resources: AsyncDisposableStack;

  private constructor(name: string, options: TableDatabaseOptions, resources: AsyncDisposableStack) {
    this.#name = name;
    this.options = options;
    this.#resources = resources;
  }

  static async create(): Promise<ShopDatabase> {
    const name = `medley_shop_${randomBytes(6).toString("hex")}`;
    await onServer(`create database ${name}`);
    await onServer(`alter database ${name} set default_transaction_isolation = 'serializable'`);
    const url = new URL(process.env.DATABASE_URL as string);
    url.pathname = `/${name}`;
    const options = { connectionString: url.href, embedded: false };
    return new ShopDatabase(name, options, new AsyncDisposableStack());
  }

  /** A client that is closed with the database. */
  async client(): Promise<pg.Client> {
    return this.#resources.adopt(await connect(this.options), (client) => client.end());
  }

  async install(client: pg.Client, collection: Collection): Promise<void> {
    const [source] = collection.sources;
    if (source?.kind !== "postgres") throw new Error("no table");
    await installOutbox(client, await planOf(client, { collection, source }), "test");
  }

  /** A relay that is closed with the database, and what it has delivered. */
  async relay(
    collection: Collection,
    deliver: TableRelayOptions["deliver"] = async () => {},
    database = this.options,
  ): Promise<{ relay: TableRelay; batches: ChangeBatch[]; faults: Error[] }> {
    const [source] = collection.sources;
    if (source?.kind !== "postgres") throw new Error("no table");
    const batches: ChangeBatch[] = [];
    const faults: Error[] = [];
    const relay = await openRelay({
      ...database,
      collection,
      source,
      deployment: "test",
      deliver: async (batch) => {
        await deliver(batch);
        batches.push(batch);
      },
      onFault: (fault) => faults.push(fault),
    });
    this.#resources.defer(() => relay.close({ graceMs: 1_000 }));
    return { relay, batches, faults };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
    await onServer(`drop database if exists ${this.#name} with (force)`);
  }
}

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

/** A collection that is fed from `public.products`, or as `source` says. */
export function productsOf(
  source: object = {},
  { fields = {}, ...collection }: { fields?: object; version?: string } = {},
): Collection {
  const all = { title: "text", kind: "category", price: "number", ...fields };
  const spaces = { price: { encoder: "number", field: "price", range: [0, 100] } };
  const sources = [{ kind: "postgres", table: "products", ...source }];
  const [checked] = checkConfig({
    collections: { products: { fields: all, spaces, sources, ...collection } },
  });
  return checked as Collection;
}

export async function until(isDone: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isDone()); tries += 1) {
    if (tries > 600) throw new Error("still not done");
    await new Promise((resume) => setTimeout(resume, 25));
  }
}
