import type { SeededRandom } from "../chaos/workload/seeded-random.ts";
import type { Film } from "./films.ts";

export const eventWeights = { view: 1, like: 3, dislike: -2 };

export interface FilmEvent {
  readonly user: string;
  readonly item: string;
  readonly kind: keyof typeof eventWeights;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What a made-up user did, oldest first, and the film that came next. */
export interface Session {
  readonly user: string;
  readonly events: readonly FilmEvent[];
  readonly next: string;
  /** By chance of being next, as only who made it up can know: no search can do better. */
  readonly likeliest: readonly string[];
}

interface World {
  readonly films: readonly Film[];
  readonly genres: readonly string[];
  /** By film: how much it is watched whoever looks. */
  readonly popularity: readonly number[];
  readonly random: SeededRandom;
}

const eventsPerUser = 20;
const eventsEveryMs = 4 * 86_400_000;
const firstAtMs = Date.UTC(2026, 0, 1);
/** Of films that are watched because everybody does. */
const herdShare = 0.3;
const genreFilmsMin = 20;
const yearsWide = 8;
const likeliestCount = 10;

/**
 * Generated, not real. Each user loves two genres, can't stand a third, and prefers films of some years; halfway one of the
 * loved genres is replaced. The next film is drawn by what the user likes times its popularity (Zipf's law) or, three times of
 * ten, by popularity alone. What is loved is mostly liked, what has the third genre mostly disliked, the rest viewed. The film
 * held out is drawn by liking, after the last event.
 */
export function sessionsOf(films: readonly Film[], users: number, random: SeededRandom): Session[] {
  const genres = [...new Set(films.flatMap((film) => film.genres))].filter(
    (genre) => films.filter((film) => film.genres.includes(genre)).length >= genreFilmsMin,
  );
  const places = films.map(() => random.uniform());
  const ranks = places.map((place) => places.filter((other) => other < place).length);
  const world = { films, genres, popularity: ranks.map((rank) => 1 / (rank + 10)), random };
  return Array.from({ length: users }, (_, n) => sessionOf(world, `user-${n}`));
}

function sessionOf(world: World, user: string): Session {
  const { films, genres, random } = world;
  const taste = {
    loved: [random.pick(genres), random.pick(genres)],
    hated: random.pick(genres),
    year: random.between(1970, 2023),
  };
  const watched = new Set<Film>();
  const events: FilmEvent[] = [];
  for (let step = 0; step < eventsPerUser; step++) {
    if (step === eventsPerUser / 2) taste.loved[0] = random.pick(genres);
    const film = drawn(world, watched, random.uniform() < herdShare ? null : taste);
    watched.add(film);
    events.push({
      user,
      item: film.id,
      kind: kindOf(film, taste, random),
      at: firstAtMs + step * eventsEveryMs,
    });
  }
  const chances = chancesOf(world, watched, taste);
  const likeliest = films
    .map((film, at) => ({ id: film.id, chance: chances[at] as number }))
    .toSorted((one, other) => other.chance - one.chance)
    .slice(0, likeliestCount);
  return { user, events, next: drawn(world, watched, taste).id, likeliest: likeliest.map(({ id }) => id) };
}

interface Taste {
  readonly loved: readonly string[];
  readonly hated: string;
  readonly year: number;
}

function drawn(world: World, watched: ReadonlySet<Film>, taste: Taste | null): Film {
  const chances = chancesOf(world, watched, taste);
  let left = world.random.uniform() * chances.reduce((sum, chance) => sum + chance, 0);
  for (const [at, chance] of chances.entries()) {
    left -= chance;
    if (left < 0) return world.films[at] as Film;
  }
  return world.films.findLast((film) => !watched.has(film)) as Film;
}

function chancesOf({ films, popularity }: World, watched: ReadonlySet<Film>, taste: Taste | null): number[] {
  return films.map((film, at) => {
    if (watched.has(film)) return 0;
    return (popularity[at] as number) * (taste === null ? 1 : Math.exp(likingOf(film, taste)));
  });
}

function likingOf(film: Film, { loved, hated, year }: Taste): number {
  const genres = film.genres.filter((genre) => loved.includes(genre)).length;
  const years = Math.exp(-(((film.year - year) / yearsWide) ** 2));
  return 2 * genres + years - (film.genres.includes(hated) ? 3 : 0);
}

function kindOf(film: Film, { loved, hated }: Taste, random: SeededRandom): FilmEvent["kind"] {
  const sure = random.uniform() < 0.8;
  if (film.genres.includes(hated)) return sure ? "dislike" : "view";
  if (film.genres.some((genre) => loved.includes(genre))) return sure ? "like" : "view";
  return "view";
}
