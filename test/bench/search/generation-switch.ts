import { setTimeout as sleep } from "node:timers/promises";
import { Places, topOf } from "../../e2e/generations.fixture.ts";
import type { Measurement } from "../measurement.ts";
import { openServers } from "../servers.ts";

const rowsCount = 2_000;
const rate = { writesPerSecond: 50, searchesPerSecond: 20 };
const idleSeconds = 60;
const servicesCount = 4;

/** A switch of generations and its way back, under writes and searches, by services as processes of their own. */
export async function run(): Promise<Measurement[]> {
  const { databaseUrl, redisUrl } = await openServers();
  await using places = await Places.start(databaseUrl, rowsCount, {
    environment: { MEDLEY_REDIS_URL: redisUrl },
  });
  const idle = (await places.idleTransactions(idleSeconds)) / servicesCount;
  const encodedBefore = await places.textsEncoded();
  const load = places.load(rate);
  await sleep(2_000);
  const startedMs = performance.now();
  const applied = await places.command(["apply", "places"]);
  const applySeconds = (performance.now() - startedMs) / 1_000;
  if (applied.exitCode !== 0) throw new Error(JSON.stringify(applied));
  await sleep(2_000);
  const back = await places.command(["apply", "places", "--rollback"]);
  if (back.exitCode !== 0) throw new Error(JSON.stringify(back));
  await sleep(2_000);
  const { prices, failures, slowed, answers, seconds } = await load.stop();
  await places.holds(prices);
  const encoded = (await places.textsEncoded()) - encodedBefore;
  const idleOfTwo = (await places.idleTransactions(idleSeconds)) / servicesCount;
  const tops = answers.map(topOf);
  const mixed = tops.filter((top) => top === "mixed").length;
  const turns = tops.filter((top, at) => at > 0 && top !== tops[at - 1]).length;
  const detail =
    `${rowsCount} rows of a text, a price and a category, ${(answers.length / seconds).toFixed(0)} searches/s and ${rate.writesPerSecond} writes/s asked for, ` +
    `for ${seconds.toFixed(0)} s; the next generation (another price encoder, a space more) was made in ${applySeconds.toFixed(1)} s and switched to in ` +
    `${applied.data.switchMs.toFixed(0)} ms; answers of one generation after the other: ${turns} turns; writes told to come again later: ${slowed}`;
  return [
    zero(
      "generation switch, failed searches and writes",
      failures.length,
      `${detail}; ${failures[0] ?? "none"}`,
    ),
    zero("generation switch, answers mixed of two generations", mixed, detail),
    zero("generation switch, texts encoded though none changed", encoded, detail),
    {
      name: "one generation, statements per minute of an idle process",
      value: idle,
      goal: "at most 20",
      met: idle <= 20,
      detail: `mean of ${servicesCount} services, the queue in Redis, nothing written and nothing asked for ${idleSeconds} s; while there are two generations ${idleOfTwo.toFixed(0)}`,
    },
    {
      name: "generation switch, rollback, ms",
      value: back.data.switchMs,
      goal: "at most 1000",
      met: back.data.switchMs <= 1_000,
      detail: `${detail}; with the wait for the last writes to be carried back`,
    },
  ];
}

function zero(name: string, value: number, detail: string): Measurement {
  return { name, value, goal: "0", met: value === 0, detail };
}
