import type { RecordFields } from "@medley/core";

export const genres = ["Comedy", "Drama", "Horror"];

/** As the encoders of `filmsLayout` would; half precision. */
export function embed(year: number | null, named: readonly string[]): number[] {
  const t = year === null ? null : (((Math.min(Math.max(year, 1900), 2030) - 1900) / 130) * Math.PI) / 2;
  const hot = genres.map((genre) => (named.includes(genre) ? 1 : 0));
  const length = Math.hypot(...hot) || 1;
  const numbers = [...(t === null ? [0, 0] : [Math.sin(t), Math.cos(t)]), ...hot.map((x) => x / length)];
  return [...Float16Array.from(numbers)];
}

export interface Film {
  readonly id: string;
  readonly fields: RecordFields;
  readonly vector: readonly number[];
}

export function film(n: number): Film {
  const year = n % 11 === 0 ? null : 1900 + ((n * 37) % 131);
  const named = genres.filter((_, index) => (n >> index) % 2 === 1);
  return {
    id: `f${String(n).padStart(3, "0")}`,
    vector: embed(year, named),
    fields: {
      title: n % 5 === 0 ? null : `Film ${n % 7}`,
      studio: ["Ealing", "Gaumont", "Toho"][n % 3] as string,
      genres: named,
      moods: n % 4 === 0 ? null : { dark: n, light: 1 },
      year,
      released: n % 6 === 0 ? null : Date.UTC(1950 + (n % 60), n % 12, 1 + (n % 28)),
      place: n % 3 === 0 ? null : { lat: ((n * 7) % 181) - 90, lon: ((n * 13) % 361) - 180 },
      face: null,
      sequels: n % 4 === 0 ? null : { [`f${n + 1}`]: 1, "f.last": 0.5 },
      takings: n % 9 === 0 ? null : { times: null, values: [[n]] },
    },
  };
}

export const films = Array.from({ length: 300 }, (_, n) => film(n));
