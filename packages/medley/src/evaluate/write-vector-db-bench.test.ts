import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkConfig } from "@medley/core";
import { openSource } from "@medley/sources";
import { afterAll, beforeAll, expect, test } from "vitest";
import { backfill } from "../backfill/backfill.ts";
import { readSettings } from "../config/settings.ts";
import type { Deployment } from "../deployment/deployment.ts";
import { openDeployment } from "../deployment/open-deployment.ts";
import { evaluateSearch } from "./evaluate-search.ts";
import { readVectorDbBench } from "./vector-db-bench.ts";
import { writeVectorDbBench } from "./write-vector-db-bench.ts";

const fields = { year: "number", genre: "category" };
const spaces = {
  year: { encoder: "number", field: "year", range: [1900, 2100] },
  genre: { encoder: "category", field: "genre", values: ["Comedy", "Crime", "Drama"], weight: 0.5 },
};
const collections = new Map(
  checkConfig({
    collections: {
      films: { fields, spaces },
      // What another database would hold of them.
      vectors: { fields: { emb: "vector(5)" }, spaces: { emb: { encoder: "vector", field: "emb" } } },
    },
  }).map((collection) => [collection.name, collection]),
);
const films = Array.from({ length: 90 }, (_, n) => ({
  id: `film-${n}`,
  year: 1900 + ((n * 37) % 200),
  genre: ["Comedy", "Crime", "Drama"][n % 3],
}));
const signal = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), "medley-export-"));
let deployment: Deployment;

beforeAll(async () => {
  const environment = { MEDLEY_DATA_DIR: join(folder, "data"), MEDLEY_POSTGRES_PORT: "0" };
  deployment = await openDeployment({ collections, settings: readSettings(environment) });
  await deployment.runStages(["embed", "index"]);
  await deployment.ingest("films", films);
  await deployment.settled();
});
afterAll(async () => {
  await deployment?.close();
  rmSync(folder, { recursive: true });
});

const write = (name: string, queries: number) =>
  writeVectorDbBench({
    deployment,
    collection: "films",
    folder: join(folder, name),
    queries,
    k: 10,
    signal,
    onProgress: () => {},
  });

test("what is written and loaded again finds its neighbours", async () => {
  expect(await write("bench", 9)).toEqual({ train: 81, test: 9, dimensions: 5 });
  const path = join(folder, "bench/train.parquet");
  const source = await openSource(path);
  const { progress } = await backfill({ deployment, collection: "vectors", source, path });
  expect(progress).toMatchObject({ indexed: 81, deadLetters: 0 });
  const queries = await readVectorDbBench(join(folder, "bench"), { space: "emb", k: 10 });
  expect(queries).toHaveLength(9);
  expect(queries.every(({ grades }) => grades.size === 10)).toBe(true);
  // Weighted as searches of the collection are: of unit length times 1, and times a half.
  const vector = queries[0]?.parts.emb as readonly number[];
  expect(Math.hypot(...vector.slice(0, 2))).toBeCloseTo(1, 3);
  expect(Math.hypot(...vector.slice(2))).toBeCloseTo(0.5, 3);
  const options = { deployment, collection: "vectors", queries, weights: {}, k: 10, signal };
  const [all] = await evaluateSearch({ ...options, onProgress: () => {} });
  // Rows all have two segments of unit length, so that scaling them to one keeps their order; twins may change places.
  expect(all?.recallK).toBeGreaterThan(0.9);
});

test("too few rows, and a folder that holds such files already, are refused", async () => {
  await expect(write("few", 46)).rejects.toMatchObject({
    code: "usage",
    mend: expect.stringContaining("45"),
  });
  await expect(write("bench", 9)).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining("already"),
  });
});
