import { type Film, films, questions } from "../cast-graph/films.ts";

/** The films with what they are to be told by: their genre and their decade. */
export function labelledFilms(): object[] {
  const [genre, decade] = questions;
  return films.map((film: Film) => ({
    ...film,
    players: film.cast,
    genre: `genre ${genre?.classOf(film)}`,
    decade: `${1970 + 10 * (decade?.classOf(film) as number)}s`,
  }));
}
