import pg from "pg";
import { OwnDatabase } from "../own-database.ts";
import { type ServiceName, ServiceProcess } from "../service-process.ts";
import { type Envelope, until, Workplace } from "./medley.fixture.ts";

const serverUrl = process.env.DATABASE_URL ?? "";

export interface ProductRow {
  readonly id: string;
  readonly title: string | null;
  readonly kind: string | null;
  readonly price: number | null;
  readonly taste: string | null;
}

/** A shop's database with a table `products`, and a Medley with its own database that has the table as a source. No model is needed. */
export class Shop implements AsyncDisposable {
  readonly workplace: Workplace;
  readonly environment: Readonly<Record<string, string>>;
  /** Of the shop's database, and of Medley's. */
  readonly shop: pg.Pool;
  readonly medley: pg.Pool;
  readonly #databases: readonly OwnDatabase[];
  readonly #services: ServiceProcess[] = [];

  private constructor(ofShop: OwnDatabase, ofMedley: OwnDatabase) {
    this.#databases = [ofShop, ofMedley];
    this.workplace = new Workplace(configOf());
    this.environment = {
      SHOP_DATABASE_URL: ofShop.url,
      MEDLEY_DATABASE_URL: ofMedley.url,
      MEDLEY_LANE_PREFIX: ofMedley.prefix,
    };
    this.shop = new pg.Pool({ connectionString: ofShop.url, max: 6 });
    this.medley = new pg.Pool({ connectionString: ofMedley.url, max: 1 });
    for (const pool of [this.shop, this.medley]) pool.on("error", () => {});
  }

  /** With the table, rows 1 to `rows`, and the triggers installed by the command. */
  static async open({ rows }: { rows: number }): Promise<Shop> {
    const shop = new Shop(await OwnDatabase.create(serverUrl), await OwnDatabase.create(serverUrl));
    await shop.shop.query(`create table products (
  id bigint primary key, title text, kind text, price numeric(8, 2), taste float8[], stock int not null default 0
)`);
    await shop.insert({ from: 1, to: rows });
    await shop.run(["migrate"]);
    await shop.run(["sources", "install"]);
    return shop;
  }

  insert({ from, to }: { from: number; to: number }): Promise<unknown> {
    return this.shop.query(
      `insert into products (id, title, kind, price, taste)
select n, 'title ' || n, (array['shoe', 'bag', 'hat'])[1 + n % 3], n % 100, array[1, n % 7, n % 5] from generate_series($1::int, $2::int) as n`,
      [from, to],
    );
  }

  /** A command that must end well. */
  async run(args: readonly string[]): Promise<Envelope> {
    const envelope = await this.workplace.runJson(args, { environment: this.environment });
    if (envelope.exitCode !== 0) throw new Error(`${args.join(" ")}: ${JSON.stringify(envelope.error)}`);
    return envelope;
  }

  async start(name: ServiceName): Promise<ServiceProcess> {
    const service = await ServiceProcess.start(name, {
      folder: this.workplace.folder,
      environment: this.environment,
    });
    this.#services.push(service);
    return service;
  }

  async waiting(): Promise<number> {
    const { rows } = await this.shop.query("select count(*)::int as waiting from medley_outbox.change");
    return rows[0].waiting;
  }

  /** Outbox rows ever written, as their sequence says. */
  async written(): Promise<number> {
    const { rows } = await this.shop.query(
      "select coalesce(pg_sequence_last_value(pg_get_serial_sequence('medley_outbox.change', 'position')), 0)::int as written",
    );
    return rows[0].written;
  }

  /** Resolves when nothing waits in outbox and lanes; one of the services must run. */
  async settled(): Promise<void> {
    const url = this.#services.find(({ running }) => running)?.url;
    const left = async () => {
      const outbox = await this.waiting();
      const answer = await fetch(`${url}/v1/status`);
      const { backlog } = (await answer.json()) as { backlog: { waiting: number; inFlight: number }[] };
      return backlog.reduce((sum, { waiting, inFlight }) => sum + waiting + inFlight, outbox);
    };
    await until(left, (count) => count === 0);
  }

  /** Rows of the shop as Medley's should be. */
  async sourceRows(): Promise<ProductRow[]> {
    const sql = `select id::text, title, kind, price::float8 as price, taste::text from products order by products.id`;
    return (await this.shop.query<ProductRow>(sql)).rows;
  }

  async indexedRows(): Promise<ProductRow[]> {
    const sql = `select id, title, kind, price, taste::real[]::float8[]::text as taste from medley.products order by id::bigint`;
    return (await this.medley.query<ProductRow>(sql)).rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#services.map((service) => service.end("SIGKILL")));
    await this.workplace[Symbol.asyncDispose]();
    await Promise.all([this.shop.end(), this.medley.end()]);
    await Promise.all(this.#databases.map((database) => database[Symbol.asyncDispose]()));
  }
}

function configOf(): object {
  const fields = { title: "text", kind: "category", price: "number", taste: "vector(3)" };
  const spaces = {
    kind: { encoder: "category", field: "kind", values: ["shoe", "bag", "hat"] },
    price: { encoder: "number", field: "price", range: [0, 100] },
    taste: { encoder: "vector", field: "taste" },
  };
  const sources = [{ kind: "postgres", table: "public.products", urlVariable: "SHOP_DATABASE_URL" }];
  return { collections: { products: { fields, spaces, sources } } };
}
