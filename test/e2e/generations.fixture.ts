import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { ServiceProcess } from "../service-process.ts";
import { Services } from "./services.fixture.ts";
import { ask, type Envelope, jsonLines, placeOf, placesOf, post, until } from "./workplace.ts";

const fields = { title: "text", kinds: "categories", price: "number" } as const;

/** What hears of the prices of neighbours. */
const around = { encoder: "graphsage", field: "near", features: ["price"], dimensions: 8 };

/** `top` of the range of prices: another one is another encoder. */
function configOf(top: number, hears: boolean, more: object = {}): object {
  const spaces = {
    title: { encoder: "text", field: "title" },
    price: { encoder: "number", field: "price", range: [0, top] },
    ...(hears ? { around } : {}),
    ...more,
  };
  return { collections: { places: { fields: { ...fields, ...(hears ? { near: "edges" } : {}) }, spaces } } };
}

export const firstTop = 100;
export const nextTop = 200;
const nextConfig = (hears: boolean) =>
  configOf(nextTop, hears, {
    kinds: { encoder: "category", field: "kinds", values: ["bar", "cafe", "park"] },
  });

const askedPrice = 20;
/** The cosine of two prices whose range ends at `top`. */
const cosine = (price: number, top: number) =>
  Math.cos(((Math.PI / 2) * (Math.min(price, top) - askedPrice)) / top);

export interface Hit {
  readonly id: string;
  readonly contributions: Readonly<Record<string, number>>;
  readonly fields: { readonly price: number };
}

/** By the end of the range of prices, which generation an answer is of; `mixed`: its hits disagree, or agree with none. */
export function topOf(hits: readonly Hit[]): number | "mixed" {
  const fits = (top: number) =>
    hits.every(
      ({ contributions, fields: { price } }) =>
        Math.abs((contributions.price ?? 9) - cosine(price, top)) < 2e-3,
    );
  return [firstTop, nextTop].find(fits) ?? "mixed";
}

/** What came of writing and searching for a while. */
export interface Loaded {
  /** By id, what was written last. */
  readonly prices: ReadonlyMap<string, number>;
  readonly failures: readonly string[];
  /** Writes that were told to come again later, and did. */
  readonly slowed: number;
  readonly answers: readonly (readonly Hit[])[];
  readonly seconds: number;
}

/**
 * Services over a collection with a text and a price, and its next configuration, which has another range and a space more. Where `hears`,
 * each place is near the next, and a space hears of the prices there.
 */
export class Places implements AsyncDisposable {
  readonly services: Services;
  readonly pool: pg.Pool;
  readonly rowsCount: number;
  readonly #hears: boolean;
  worker!: ServiceProcess;
  #producer!: ServiceProcess;
  #query!: ServiceProcess;

  private constructor(services: Services, { rowsCount, hears }: { rowsCount: number; hears: boolean }) {
    this.services = services;
    this.rowsCount = rowsCount;
    this.#hears = hears;
    this.pool = new pg.Pool({ connectionString: services.database.url, max: 2 });
    this.pool.on("error", () => {});
  }

  /** With four services, one of each kind. */
  static async start(
    serverUrl: string,
    rowsCount: number,
    {
      environment = {},
      hears = false,
    }: { readonly environment?: Readonly<Record<string, string>>; readonly hears?: boolean } = {},
  ): Promise<Places> {
    const services = await Services.create(serverUrl, { config: configOf(firstTop, hears), environment });
    services.workplace.write("next.config.json", JSON.stringify(nextConfig(hears)));
    const places = new Places(services, { rowsCount, hears });
    const records = placesOf(rowsCount).map((place, n) => places.#record(n, place.price as number));
    services.workplace.write("places.jsonl", jsonLines(records));
    const train = ["train", "places.around", "--from", "places.jsonl", "--set", "hidden=8"];
    for (const command of hears ? [train, ["migrate"]] : [["migrate"]]) {
      const { code, stderr } = await services.workplace.run(command, { environment: services.environment });
      if (code !== 0) throw new Error(stderr);
    }
    places.#producer = await services.start("producer");
    places.worker = await services.start("embedding-worker");
    await services.start("indexer");
    places.#query = await services.start("query");
    for (let at = 0; at < rowsCount; at += 100) {
      await post(`${places.#producer.url}/v1/collections/places/records`, records.slice(at, at + 100));
    }
    await until(
      async () => (await places.pool.query("select count(*)::int as n from medley.places")).rows[0].n,
      (n) => n === rowsCount,
    );
    return places;
  }

  /** A command with the next configuration. */
  command(args: readonly string[]): Promise<Envelope> {
    const { workplace, environment } = this.services;
    return workplace.runJson(["--config", "next.config.json", ...args], { environment });
  }

  startCommand(args: readonly string[]) {
    const { workplace, environment } = this.services;
    return workplace.start(["--config", "next.config.json", ...args], { environment });
  }

  /** Writes and searches until stopped. */
  load({ writesPerSecond, searchesPerSecond }: { writesPerSecond: number; searchesPerSecond: number }) {
    const stopping = new AbortController();
    const startedMs = performance.now();
    const prices = new Map<string, number>();
    const failures: string[] = [];
    let slowed = 0;
    const answers: Hit[][] = [];
    const everySecond = async (times: number, act: (n: number) => Promise<void>) => {
      const pending = new Set<Promise<void>>();
      for (let n = 0; !stopping.signal.aborted; n += 1) {
        await sleep(Math.max(startedMs + (n * 1_000) / times - performance.now(), 0));
        const acting: Promise<void> = act(n).finally(() => pending.delete(acting));
        pending.add(acting);
        // No more than a server would have of one client.
        if (pending.size >= 20) await Promise.race(pending);
      }
      await Promise.all(pending);
    };
    const write = async (n: number) => {
      const changed = this.#record(n % this.rowsCount, Math.floor(Math.random() * firstTop));
      for (;;) {
        const { status } = await post(`${this.#producer.url}/v1/collections/places/records`, changed);
        if (status === 202) prices.set(changed.id as string, changed.price);
        else if (status !== 429) failures.push(`write: ${status}`);
        else {
          // As any client does that is told to come again.
          slowed += 1;
          await sleep(100);
          continue;
        }
        return;
      }
    };
    const search = async () => {
      const { status, body } = await post(`${this.#query.url}/v1/collections/places/search`, {
        ...{ parts: { title: "quiet reading", price: askedPrice }, k: 10 },
      });
      if (status === 200 && body.hits.length === 10) answers.push(body.hits);
      else failures.push(`search: ${status} ${JSON.stringify(body)}`);
    };
    const running = Promise.all([
      everySecond(writesPerSecond, write),
      everySecond(searchesPerSecond, search),
    ]);
    return {
      async stop(): Promise<Loaded> {
        stopping.abort();
        await running;
        return { prices, failures, slowed, answers, seconds: (performance.now() - startedMs) / 1_000 };
      },
    };
  }

  /** Waits until every row says what was written last. */
  async holds(prices: ReadonlyMap<string, number>): Promise<void> {
    await until(
      async () =>
        (await this.pool.query<{ id: string; price: number }>("select id, price from medley.places")).rows,
      (rows) =>
        rows.length === this.rowsCount && rows.every(({ id, price }) => (prices.get(id) ?? price) === price),
    );
  }

  /** Of how many live rows the segments would be others if they heard of their neighbours once more. */
  async unheard(): Promise<number> {
    const { rows } = await this.pool.query<{ table: string }>(
      `select live_table as table from medley_internal.collections where name = 'places'`,
    );
    const table = rows[0]?.table as string;
    // What a killed process had in hand is its own for a minute.
    const secondsMax = 120;
    const heard = () =>
      until(
        async () =>
          (await this.pool.query("select medley_internal.is_to_hear($1) as waits", [table])).rows[0].waits,
        (waits) => waits === false,
        secondsMax,
      );
    const vectors = async () =>
      (
        await this.pool.query<{ vector: string }>(
          `select embedding::text as vector from medley_internal.${table} where deleted_at is null order by id`,
        )
      ).rows;
    await heard();
    const before = await vectors();
    await this.pool.query(
      `insert into medley_internal.graph_change (graph, record_id, hops) select $1, id, 0 from medley_internal.${table}`,
      [`${table}.near`],
    );
    await heard();
    return (await vectors()).filter(({ vector }, at) => vector !== before[at]?.vector).length;
  }

  /** Transactions of the services while nothing happens, per minute of all of them; needs a queue that is not in Postgres. */
  async idleTransactions(seconds: number): Promise<number> {
    // Servers count a session's transactions up to ten seconds after them.
    await sleep(15_000);
    const begunAt = await this.#transactions();
    await sleep(seconds * 1_000);
    return (((await this.#transactions()) - begunAt) * 60) / seconds;
  }

  async #transactions(): Promise<number> {
    const text = `select (xact_commit + xact_rollback)::float8 as n from pg_stat_database where datname = current_database()`;
    return (await this.pool.query<{ n: number }>(text)).rows[0]?.n ?? 0;
  }

  /** Texts that models have encoded, by the process that embeds. */
  async textsEncoded(): Promise<number> {
    const { text } = await ask(`${this.worker.url}/metrics`, { method: "GET", headers: {} });
    return Number(/^medley_model_inputs_total\{.*state="done".*\} (\d+)/m.exec(text)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end();
    await this.services[Symbol.asyncDispose]();
  }

  #record(n: number, price: number) {
    const { id, title, kinds } = placeOf(n);
    const near = this.#hears ? { near: [placeOf((n + 1) % this.rowsCount).id] } : {};
    return { id, title, kinds, price, ...near };
  }
}
