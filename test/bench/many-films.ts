import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Collection,
  checkConfig,
  closedFormEncoder,
  type Encoder,
  fuse,
  normalize,
  type RecordFields,
  type SegmentLayout,
  segmentHashBytes,
  type VectorEnvelope,
  version,
} from "@medley/core";
import { openModelRuntime } from "@medley/models";
import type { Film } from "./films.ts";
import { seededRandom } from "./random-rows.ts";
import { readLines } from "./shared-data.ts";

const model = "all-MiniLM-L6-v2";
const plotDimensions = 384;
const textsPerCall = 200;
const castNames = 200;

/** Films with a fused vector of five spaces. */
export interface ManyFilms {
  readonly collection: Collection;
  readonly layout: readonly SegmentLayout[];
  readonly rows: readonly VectorEnvelope[];
}

/**
 * `count` films made from the 12,593 of the shared data, which come first as they are, their plots encoded by the default model.
 * Each further one is a film crossed with another: six to nine tenths of its plot's vector, its year give or take two, most of
 * its genres and half its cast. The day of release is drawn within the year. The same each time.
 */
export async function manyFilms(count: number): Promise<ManyFilms> {
  const films = readLines<Film>("movies/movies.jsonl.gz");
  const plots = await encodedPlots(films.map(({ plot }) => plot));
  const collection = collectionOf(films);
  const encoders = collection.spaces.map((space) => closedFormEncoder(space, collection.fields));
  const random = seededRandom(7);
  const made = Array.from({ length: count }, (_, n) => madeFilm(n, films, plots, random));
  const segments = await Promise.all(
    encoders.map((encoder, at) => segmentsOf(collection, at, encoder, made)),
  );
  let offset = 0;
  const layout = collection.spaces.map(({ name }, at) => {
    const dimensions = encoders[at]?.dimensions ?? plotDimensions;
    offset += dimensions;
    return { space: name, offset: offset - dimensions, dimensions, encoderIdentity: "many-films" };
  });
  const rows = made.map(
    ({ fields }, n): VectorEnvelope => ({
      id: `film-${String(n).padStart(6, "0")}`,
      version: version(1n),
      op: "upsert",
      source: "bench",
      fields,
      vector: Float16Array.from(fuse(segments.map((of) => of[n] as Float32Array))),
      segmentHashes: new Uint8Array(segmentHashBytes * layout.length),
    }),
  );
  return { collection, layout, rows };
}

function collectionOf(films: readonly Film[]): Collection {
  const [collection] = checkConfig({
    collections: {
      films: {
        fields: {
          title: "text",
          plot: "text",
          genres: "categories",
          year: "number",
          cast: "categories",
          released: "timestamp",
        },
        spaces: {
          plot: { encoder: "text", field: "plot" },
          genres: { encoder: "category", field: "genres", values: mostFrequent(films, "genres", 1_000) },
          year: { encoder: "number", field: "year", range: [1970, 2023] },
          cast: { encoder: "category", field: "cast", values: mostFrequent(films, "cast", castNames) },
          released: { encoder: "recency", field: "released", horizonDays: 20_000 },
        },
      },
    },
  }) as [Collection];
  return collection;
}

function mostFrequent(films: readonly Film[], key: "genres" | "cast", countMax: number): string[] {
  const counts = new Map<string, number>();
  for (const name of films.flatMap((film) => film[key])) counts.set(name, (counts.get(name) ?? 0) + 1);
  const ranked = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return ranked.slice(0, countMax).map(([name]) => name);
}

interface MadeFilm {
  readonly fields: RecordFields;
  readonly plot: Float32Array;
}

function madeFilm(
  n: number,
  films: readonly Film[],
  plots: readonly Float32Array[],
  random: () => number,
): MadeFilm {
  const at = n % films.length;
  const film = films[at] as Film;
  const day = random() * 365;
  const asIs = n < films.length;
  const otherAt = Math.floor(random() * films.length);
  const other = films[otherAt] as Film;
  const share = asIs ? 1 : 0.6 + 0.3 * random();
  const year = asIs ? film.year : Math.min(2023, Math.max(1970, film.year + Math.floor(random() * 5) - 2));
  const pick = (own: readonly string[], others: readonly string[], kept: number) => {
    const names = own.map((name, i) => (random() < kept ? name : (others[i] ?? name)));
    return [...new Set(names)];
  };
  const [plot, crossed] = [plots[at] as Float32Array, plots[otherAt] as Float32Array];
  return {
    plot: normalize(plot.map((x, d) => share * x + (1 - share) * (crossed[d] as number))),
    fields: {
      title: film.title,
      plot: null,
      genres: asIs ? film.genres : pick(film.genres, other.genres, 0.7),
      year,
      cast: asIs ? film.cast : pick(film.cast, other.cast, 0.5),
      released: Date.UTC(year, 0, 1) + Math.floor(day) * 86_400_000,
    },
  };
}

async function segmentsOf(
  collection: Collection,
  at: number,
  encoder: Encoder | null,
  made: readonly MadeFilm[],
): Promise<Float32Array[]> {
  if (encoder === null) return made.map(({ plot }) => plot);
  const field = collection.spaces[at]?.fields[0] as string;
  const results = await encoder.encode(made.map(({ fields }) => fields[field]));
  return results.map((result) => {
    assert(result.ok);
    return result.value;
  });
}

/** Kept in the system's folder for temporary files: they take minutes. */
async function encodedPlots(texts: readonly string[]): Promise<Float32Array[]> {
  const key = createHash("sha256").update(model).update(JSON.stringify(texts)).digest("hex").slice(0, 16);
  const path = join(tmpdir(), `medley-bench-plots-${key}.f32`);
  if (!existsSync(path)) {
    await using runtime = openModelRuntime({ environment: {} });
    const encoder = await runtime.textEncoder(model);
    const all = new Float32Array(texts.length * plotDimensions);
    for (let start = 0; start < texts.length; start += textsPerCall) {
      const results = await encoder.encode(texts.slice(start, start + textsPerCall));
      for (const [i, result] of results.entries()) {
        assert(result.ok);
        all.set(result.value, (start + i) * plotDimensions);
      }
    }
    writeFileSync(`${path}.part`, all);
    renameSync(`${path}.part`, path);
  }
  const bytes = readFileSync(path);
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  return texts.map((_, n) => numbers.slice(n * plotDimensions, (n + 1) * plotDimensions));
}
