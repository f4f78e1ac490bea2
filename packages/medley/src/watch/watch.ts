import { strict as assert } from "node:assert";
import { isRetryable, type Lanes, MedleyError } from "@medley/core";
import { type Figures, openPool, readFigures } from "@medley/store";
import type pg from "pg";
import type { Settings } from "../config/settings.ts";
import { openDatabase } from "../deployment/database.ts";
import { openLanes } from "../deployment/open-lanes.ts";
import { type ChannelBacklog, readBacklogs } from "../deployment/status.ts";
import { askService, unavailable } from "./remote-service.ts";
import { parseServiceMetrics, type ServiceMetrics } from "./service-metrics.ts";

export interface WatchOptions {
  readonly settings: Settings;
  /** Services whose `/metrics` are read as well. */
  readonly urls: readonly string[];
}

/** What could be seen at one moment; null and a fault for what is away. */
export interface Sight {
  readonly atMs: number;
  readonly figures: Figures | null;
  readonly backlogs: readonly ChannelBacklog[] | null;
  readonly services: readonly { readonly url: string; readonly metrics: ServiceMetrics | null }[];
  readonly faults: readonly { readonly part: string; readonly code: string }[];
}

/** Looks at a running deployment by SQL, its lanes and its services; opens no model and changes nothing. */
export class Watch implements AsyncDisposable {
  readonly #pool: pg.Pool;
  readonly #lanes: Lanes;
  readonly #options: WatchOptions;
  readonly #resources: AsyncDisposableStack;

  constructor(pool: pg.Pool, lanes: Lanes, options: WatchOptions, resources: AsyncDisposableStack) {
    this.#pool = pool;
    this.#lanes = lanes;
    this.#options = options;
    this.#resources = resources;
  }

  /** Throws only what trying again does not mend. */
  async look(): Promise<Sight> {
    const faults: { part: string; code: string }[] = [];
    const trying = async <Value>(part: string, read: () => Promise<Value>): Promise<Value | null> => {
      try {
        return await read();
      } catch (error) {
        if (!(error instanceof MedleyError && isRetryable(error))) throw error;
        faults.push({ part, code: error.code });
        return null;
      }
    };
    const [figures, backlogs, ...services] = await Promise.all([
      trying("store", () => readFigures(this.#pool)),
      trying("lanes", () => readBacklogs(this.#lanes)),
      ...this.#options.urls.map(async (url) => ({
        url,
        metrics: await trying(url, () => this.#metricsOf(url)),
      })),
    ]);
    return { atMs: Date.now(), figures, backlogs, services, faults };
  }

  async #metricsOf(url: string): Promise<ServiceMetrics> {
    const response = await askService(url, "/metrics", this.#options.settings.token);
    const metrics = parseServiceMetrics(await response.text());
    if (metrics === null) throw unavailable(url, "its metrics are not Medley's");
    return metrics;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

/** Throws what opening the database and the lanes throws. */
export async function openWatch(options: WatchOptions): Promise<Watch> {
  await using resources = new AsyncDisposableStack();
  const { settings } = options;
  const database = await openDatabase({ settings, mayAttach: true, onEngineFault: () => {} });
  resources.defer(() => database.close());
  const { connectionString } = database;
  const pool = openPool({ connectionString, connectionsMax: 2 });
  resources.defer(() => pool.end());
  const lanes = await openLanes({
    settings,
    connectionString,
    resources,
    // Nothing is consumed here, so there is nothing to keep.
    store: { addDeadLetters: async () => assert.fail("a watch consumes nothing") },
    onFault: () => {},
    onWarning: () => {},
  });
  return new Watch(pool, lanes, options, resources.move());
}
