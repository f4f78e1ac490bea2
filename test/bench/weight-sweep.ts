/** A weight per space of `manyFilms`: plot, genres, year, cast, released. */
export type Weights = readonly [number, number, number, number, number];

export const sweepSpaces = ["plot", "genres", "year", "cast", "released"] as const;

/** The published sweep: chosen once, by kind, before anything was measured. */
export const sweep: readonly Weights[] = [
  // All alike.
  [1, 1, 1, 1, 1],
  // One counts five or twenty times as much as the others.
  [5, 1, 1, 1, 1],
  [1, 5, 1, 1, 1],
  [1, 1, 5, 1, 1],
  [1, 1, 1, 5, 1],
  [1, 1, 1, 1, 5],
  [20, 1, 1, 1, 1],
  [1, 20, 1, 1, 1],
  [1, 1, 20, 1, 1],
  [1, 1, 1, 20, 1],
  [1, 1, 1, 1, 20],
  // One alone.
  [1, 0, 0, 0, 0],
  [0, 1, 0, 0, 0],
  [0, 0, 1, 0, 0],
  [0, 0, 0, 1, 0],
  [0, 0, 0, 0, 1],
  // Number and recency only.
  [0, 0, 1, 0, 1],
  [0, 0, 3, 0, 1],
  [0, 0, 1, 0, 3],
  // Two, and three.
  [1, 1, 0, 0, 0],
  [1, 0, 1, 0, 0],
  [1, 0, 0, 1, 0],
  [1, 0, 0, 0, 1],
  [0, 1, 1, 0, 0],
  [0, 1, 0, 1, 0],
  [0, 0, 1, 1, 0],
  [2, 1, 0, 0, 0],
  [1, 3, 0, 0, 0],
  [1, 0, 0.2, 1, 0],
  [1, 1, 1, 0, 0],
  [0, 5, 1, 1, 0],
  [3, 0, 0, 1, 2],
  [0.2, 0, 1, 0, 0],
  // Below 0.
  [-1, 0, 0, 0, 0],
  [0, -1, 0, 0, 0],
  [0, 0, -1, 0, 0],
  [0, 0, 0, 0, -1],
  [1, 0, 0, -1, 0],
  [1, -1, 1, 0, 0],
  [1, 0, -1, 0, 0],
  [2, 1, 0, 0, -1],
  [-1, 1, 0, 1, 0],
  [1, 1, 1, -1, 1],
  [1, -2, 1, 1, 0],
];
