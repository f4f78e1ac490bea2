import { readFileSync } from "node:fs";
import { type Collection, checkConfig } from "@medley/core";
import type { Deployment, SearchQuery } from "medley";
import { SeededRandom } from "../../chaos/workload/seeded-random.ts";
import { ingest, withPipeline } from "../embedded-pipeline.ts";
import { eventWeights, type Session, sessionsOf } from "../film-sessions.ts";
import { type Film, films } from "../films.ts";
import { type Measurement, median } from "../measurement.ts";

const filmsCount = 1_000;
const usersCount = 200;
/** Of the sessions that the weights are chosen on; the others are measured. */
const choosingSeed = 0;
const seeds = [1, 2, 3];
const popularWeights = [1, 2, 4, 8, 16];
/** Of what the sessions are not made from: the words and the actors. */
const otherWeights = [0, 1];
const k = 10;
const goalRatio = 1.2;

/**
 * Whether the film that a user takes next is among the first ten that were not seen: of a search for the user's profile, alone
 * and with how much a film is watched as one more part; against the ten most watched, and films like the last one liked.
 * Sessions are generated (film-sessions.ts): this says that profiles carry a taste through decay, dislikes and noise, not how
 * well they do for a shop.
 */
export async function run(): Promise<Measurement[]> {
  const collections = new Map(filmsWithProfiles().map((collection) => [collection.name, collection]));
  const picked = films(filmsCount);
  return withPipeline({ collections }, async (deployment) => {
    const choosing = await sendSessions(deployment, picked, choosingSeed);
    const choose = async (among: readonly SearchQuery[]) => {
      const rates = [];
      for (const query of among)
        rates.push({ query, rate: await rateOf(choosing, profileHits(deployment, query)) });
      return rates.toSorted((a, b) => b.rate - a.rate)[0]?.query as SearchQuery;
    };
    const alone = await choose(otherWeights.map((other) => queryOf({ popular: 0, other })));
    const { plot: other = 1 } = alone.weights ?? {};
    const both = await choose(popularWeights.map((popular) => queryOf({ popular, other })));
    const rates: Rates[] = [];
    for (const seed of seeds) {
      const sessions = await sendSessions(deployment, picked, seed);
      rates.push({
        profile: await rateOf(sessions, profileHits(deployment, alone)),
        both: await rateOf(sessions, profileHits(deployment, both)),
        popular: await rateOf(sessions, popularHits(sessions)),
        likeLast: await rateOf(sessions, likeLastHits(deployment, alone)),
        best: await rateOf(sessions, async ({ likeliest }) => likeliest),
      });
    }
    return [measurementOf(rates, both)];
  });
}

/** As the example has them, with how much each is watched. */
function filmsWithProfiles(): readonly Collection[] {
  const vocabulary = new URL("../../../examples/films/vocabulary.json", import.meta.url);
  const { genres, cast }: Record<string, string[]> = JSON.parse(readFileSync(vocabulary, "utf8"));
  const fields = {
    ...{ title: "text", plot: "text", year: "number", watched: "number" },
    ...{ genres: "categories", cast: "categories" },
  };
  const spaces = {
    plot: { encoder: "text", field: "plot" },
    genres: { encoder: "category", field: "genres", values: genres },
    year: { encoder: "number", field: "year", range: [1970, 2023] },
    cast: { encoder: "category", field: "cast", values: cast },
    popular: { encoder: "number", field: "watched", range: [1, usersCount], scale: "log" },
  };
  const profiles = { events: eventWeights, halfLifeDays: 30 };
  return checkConfig({ collections: { films: { fields, spaces, profiles } } });
}

interface Rates {
  readonly profile: number;
  readonly both: number;
  readonly popular: number;
  readonly likeLast: number;
  readonly best: number;
}

/** Ids, best first; those seen are left out afterwards. */
type Hits = (session: Session) => Promise<readonly string[]>;

/** Films with how much they are watched, then what the users of a seed did. */
async function sendSessions(
  deployment: Deployment,
  picked: readonly Film[],
  seed: number,
): Promise<readonly Session[]> {
  const sessions = sessionsOf(picked, usersCount, new SeededRandom(seed)).map((session) => {
    const user = `${seed}-${session.user}`;
    return { ...session, user, events: session.events.map((event) => ({ ...event, user })) };
  });
  const watched = watchedCounts(sessions);
  await ingest(
    deployment,
    picked.map((film) => ({ ...film, watched: watched.get(film.id) ?? 0 })),
  );
  const events = sessions.flatMap((session) => session.events.map((event) => ({ ...event, _op: "event" })));
  await deployment.ingest("films", events);
  await deployment.settled();
  return sessions;
}

/** As far as is known before the films held out. */
function watchedCounts(sessions: readonly Session[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { item } of sessions.flatMap(({ events }) => events))
    counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

function queryOf({ popular, other }: { readonly popular: number; readonly other: number }): SearchQuery {
  return { parts: { popular: "high" }, weights: { popular, plot: other, cast: other } };
}

function profileHits(deployment: Deployment, query: SearchQuery): Hits {
  return async ({ user }) => {
    const hits = await deployment.search("films", { ...query, for: user, excludeSeen: true, k });
    return hits.map(({ id }) => id);
  };
}

function popularHits(sessions: readonly Session[]): Hits {
  const best = [...watchedCounts(sessions)].toSorted((a, b) => b[1] - a[1]).map(([id]) => id);
  return async () => best;
}

function likeLastHits(deployment: Deployment, { weights = {} }: SearchQuery): Hits {
  return async ({ events }) => {
    const last = events.findLast(({ kind }) => kind === "like") ?? events.at(-1);
    const query = { like: last?.item as string, weights, k: k + events.length };
    return (await deployment.search("films", query)).map(({ id }) => id);
  };
}

async function rateOf(sessions: readonly Session[], hits: Hits): Promise<number> {
  let found = 0;
  for (const session of sessions) {
    const seen = new Set(session.events.map(({ item }) => item));
    const first = (await hits(session)).filter((id) => !seen.has(id)).slice(0, k);
    if (first.includes(session.next)) found += 1;
  }
  return found / sessions.length;
}

function measurementOf(rates: readonly Rates[], { weights }: SearchQuery): Measurement {
  const shown = (name: keyof Rates) => {
    const values = rates.map((rate) => rate[name]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return `${mean.toFixed(3)} (${values.map((value) => value.toFixed(3)).join(", ")})`;
  };
  const ratio = median(rates.map(({ both, popular }) => both / popular));
  return {
    name: "hit rate at 10 of user profiles with popularity / of popularity, generated sessions",
    value: ratio,
    goal: `at least ${goalRatio}`,
    met: ratio >= goalRatio,
    detail:
      `${filmsCount} films, ${seeds.length} seeds of ${usersCount} users with 20 events and a film held out each; ` +
      `profile with popularity (weights ${JSON.stringify(weights)}, chosen on other sessions) ${shown("both")}, popularity ${shown("popular")}, ` +
      `profile alone ${shown("profile")}, like the last one liked ${shown("likeLast")}, chance ${(k / filmsCount).toFixed(3)}, ` +
      `the best that can be ${shown("best")}`,
  };
}
