import { checkConfig } from "@medley/core";
import type { Deployment, SearchQuery } from "medley";
import config from "../../../examples/films/medley.config.ts";
import { SeededRandom } from "../../chaos/workload/seeded-random.ts";
import { ingest, withPipeline } from "../embedded-pipeline.ts";
import { eventWeights, type Session, sessionsOf } from "../film-sessions.ts";
import { type Film, films } from "../films.ts";
import { type Measurement, median } from "../measurement.ts";

const filmsCount = 1_000;
const usersCount = 200;
/** Of the sessions that the weight of popularity is chosen on; the others are measured. */
const choosingSeed = 0;
const seeds = [1, 2, 3];
const popularWeights = [0.25, 0.5, 1, 2, 4];
const k = 10;
const goalRatio = 1.2;

/**
 * Whether the film that a user takes next is among the first ten that were not seen: of a search for the user's profile, alone
 * and with how much a film is watched as one more part; against the ten most watched, and films like the last one liked.
 * Sessions are generated (film-sessions.ts): this says that profiles carry a taste through decay, dislikes and noise, not how
 * well they do for a shop.
 */
export async function run(): Promise<Measurement[]> {
  const { films: example } = config.collections;
  const fields = { ...example.fields, watched: "number" };
  const popular = { encoder: "number", field: "watched", range: [1, usersCount], scale: "log" };
  const spaces = { ...example.spaces, popular };
  const profiles = { events: eventWeights, halfLifeDays: 30 };
  const checked = checkConfig({ collections: { films: { ...example, fields, spaces, profiles } } });
  const collections = new Map(checked.map((collection) => [collection.name, collection]));
  const picked = films(filmsCount);
  return withPipeline({ collections }, async (deployment) => {
    const choosing = await sendSessions(deployment, picked, choosingSeed);
    const chosen: { weight: number; rate: number }[] = [];
    for (const weight of popularWeights) {
      chosen.push({ weight, rate: await rateOf(choosing, profileHits(deployment, withPopularity(weight))) });
    }
    const weight = chosen.toSorted((a, b) => b.rate - a.rate)[0]?.weight as number;
    const rates: Rates[] = [];
    for (const seed of seeds) {
      const sessions = await sendSessions(deployment, picked, seed);
      rates.push({
        profile: await rateOf(sessions, profileHits(deployment, withPopularity(0))),
        both: await rateOf(sessions, profileHits(deployment, withPopularity(weight))),
        popular: await rateOf(sessions, popularHits(sessions)),
        likeLast: await rateOf(sessions, likeLastHits(deployment)),
      });
    }
    return [measurementOf(rates, weight)];
  });
}

interface Rates {
  readonly profile: number;
  readonly both: number;
  readonly popular: number;
  readonly likeLast: number;
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

function withPopularity(weight: number): SearchQuery {
  return { parts: { popular: "high" }, weights: { popular: weight } };
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

function likeLastHits(deployment: Deployment): Hits {
  return async ({ events }) => {
    const last = events.findLast(({ kind }) => kind === "like") ?? events.at(-1);
    const query = { like: last?.item as string, weights: { popular: 0 }, k: k + events.length };
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

function measurementOf(rates: readonly Rates[], weight: number): Measurement {
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
      `profile with popularity (weight ${weight}, chosen on other sessions) ${shown("both")}, popularity ${shown("popular")}, ` +
      `profile alone ${shown("profile")}, like the last one liked ${shown("likeLast")}, chance ${(k / filmsCount).toFixed(3)}`,
  };
}
