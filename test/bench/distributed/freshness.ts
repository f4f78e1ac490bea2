import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { countRows, notes } from "../bench-collections.ts";
import { type Deployed, deploy } from "../deployed.ts";
import { lengthMixes } from "../length-mixes.ts";
import type { Measurement } from "../measurement.ts";

const warmUpSeconds = 5;
const measuredSeconds = 40;
const calibrationTexts = 600;
const load = 0.5;
const p99MsMax = 750;
const pollMs = 5;

/**
 * From the answer of HTTP ingest to the row being there for SELECT, at half the rate that the deployment can keep up. Arrivals
 * are an open loop: one record a request, at random times that do not wait for answers.
 */
export async function run(): Promise<Measurement[]> {
  const { texts } = lengthMixes({ uniform: 1, natural: calibrationTexts, short: 1 }).natural;
  await using deployed = await deploy({
    config: notes,
    lanes: "kafka-redis",
    environment: { MEDLEY_MODEL_THREADS: "1" },
  });
  const [producer] = await Promise.all([
    deployed.startService("producer"),
    deployed.startService("embedding-worker", { environment: { MEDLEY_MODEL_THREADS: "2" } }),
    deployed.startService("indexer"),
  ]);
  const perSecondMax = await sustainedRate(deployed, texts);
  const perSecond = perSecondMax * load;
  const watch = new Watch(deployed.deployment.pool);
  const url = `${producer.url}/v1/collections/notes/records`;
  await arrivals(url, texts, { perSecond, seconds: warmUpSeconds, watch, prefix: "warm" });
  await watch.drained();
  watch.delaysMs.length = 0;
  await arrivals(url, texts, { perSecond, seconds: measuredSeconds, watch, prefix: "measured" });
  await watch.drained();
  await watch.stop();
  const sorted = watch.delaysMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] as number;
  return [
    {
      name: "ingest answered to visible in SELECT, p99, ms",
      value: at(0.99),
      goal: `at most ${p99MsMax}`,
      met: at(0.99) <= p99MsMax,
      detail:
        `${sorted.length} records of log-normal texts through Kafka at ${perSecond.toFixed(1)} records/s, half of the ` +
        `${perSecondMax.toFixed(1)} that two model threads keep up beside all services and servers; p50 ${at(0.5).toFixed(0)}, ` +
        `p95 ${at(0.95).toFixed(0)}, most ${at(1).toFixed(0)} ms`,
    },
  ];
}

async function sustainedRate({ deployment }: Deployed, texts: readonly string[]): Promise<number> {
  const startMs = performance.now();
  for (let at = 0; at < texts.length; at += 100) {
    const records = texts.slice(at, at + 100).map((text, n) => ({ id: `calibration-${at + n}`, text }));
    const { rejected } = await deployment.ingest("notes", records);
    assert.equal(rejected.length, 0);
  }
  for (;;) {
    if ((await countRows(deployment, "notes")) === texts.length)
      return (1_000 * texts.length) / (performance.now() - startMs);
    await sleep(20);
  }
}

async function arrivals(
  url: string,
  texts: readonly string[],
  options: { perSecond: number; seconds: number; watch: Watch; prefix: string },
): Promise<void> {
  const { perSecond, seconds, watch, prefix } = options;
  const endsAtMs = performance.now() + seconds * 1_000;
  const sent: Promise<void>[] = [];
  let dueAtMs = performance.now();
  for (let n = 0; dueAtMs < endsAtMs; n++) {
    await sleep(Math.max(dueAtMs - performance.now(), 0));
    sent.push(post(url, { id: `${prefix}-${n}`, text: texts[n % texts.length] }, watch));
    // Exponential: a Poisson process.
    dueAtMs += (-Math.log(1 - Math.random()) * 1_000) / perSecond;
  }
  await Promise.all(sent);
}

async function post(
  url: string,
  record: { id: string; text: string | undefined },
  watch: Watch,
): Promise<void> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(record),
  });
  assert.equal(answer.status, 202, await answer.text());
  watch.await(record.id);
}

/** Looks every few milliseconds which of the records awaited are there. */
class Watch {
  readonly delaysMs: number[] = [];
  readonly #pool: pg.Pool;
  readonly #awaited = new Map<string, number>();
  readonly #looking: Promise<void>;
  #stopped = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
    this.#looking = this.#look();
  }

  await(id: string): void {
    this.#awaited.set(id, performance.now());
  }

  async drained(): Promise<void> {
    while (this.#awaited.size > 0) await sleep(pollMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#looking;
  }

  async #look(): Promise<void> {
    while (!this.#stopped) {
      await sleep(pollMs);
      if (this.#awaited.size === 0) continue;
      const { rows } = await this.#pool.query<{ id: string }>(
        "select id from medley.notes where id = any ($1)",
        [[...this.#awaited.keys()]],
      );
      const nowMs = performance.now();
      for (const { id } of rows) {
        this.delaysMs.push(nowMs - (this.#awaited.get(id) as number));
        this.#awaited.delete(id);
      }
    }
  }
}
