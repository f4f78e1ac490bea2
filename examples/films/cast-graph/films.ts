import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { Random } from "@medley/training";

export interface Film {
  readonly id: string;
  readonly year: number;
  readonly genres: readonly string[];
  readonly cast: readonly string[];
}

export const films = gunzipSync(readFileSync(new URL("../films.jsonl.gz", import.meta.url)))
  .toString()
  .trimEnd()
  .split("\n")
  .map((line): Film => JSON.parse(line));
export const filmOf = new Map(films.map((film) => [film.id, film]));
const ids = films.map(({ id }) => id);
/** A quarter of the ids, by a seeded draw. */
export const heldOut = new Set(new Random(1).shuffle(ids).slice(0, films.length / 4));
const firstGenre = ({ genres: [first = ""] }: Film) => first;
/** Those that so many films name first; all the rest is one class more. */
const genreFilmsMin = 40;
const genres = [...Map.groupBy(films, firstGenre)]
  .filter(([, { length }]) => length >= genreFilmsMin)
  .map(([genre]) => genre);
/** What held-out films are asked: a class of each. */
export interface Question {
  readonly title: string;
  readonly classOf: (film: Film) => number;
  readonly classCount: number;
}

export const questions: readonly Question[] = [
  {
    title: "genre",
    classOf: (film) => (genres.includes(firstGenre(film)) ? genres.indexOf(firstGenre(film)) : genres.length),
    classCount: genres.length + 1,
  },
  { title: "decade", classOf: ({ year }) => Math.floor(year / 10) - 197, classCount: 6 },
];

/** The cast once more, as edges: a film's neighbours are its actors, an actor's are the films. */
export function graphRecords(): object[] {
  return films.map((film) => ({
    ...film,
    players: film.cast,
    part: heldOut.has(film.id) ? "held out" : "known",
  }));
}
