import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Collection } from "@medley/core";
import type { TaskReport } from "@medley/training";
import { loadConfig } from "medley";
import { confirmedShare, weightsMeasurement } from "../assignment-figures.ts";
import { films } from "../films.ts";
import type { Measurement } from "../measurement.ts";
import { readLines } from "../shared-data.ts";

const command = new URL("../../../packages/medley/bin/medley.js", import.meta.url).pathname;

/** Custom or pre-trained and what spaces should weigh, as `medley assign` answers it for films, products and, where it is asked for, reviews. */
export async function run(): Promise<Measurement[]> {
  const [films, products] = [assignedFilms(), await assignedProducts()];
  return [
    confirmedShare("films", films),
    weightsMeasurement("films", films),
    weightsMeasurement("products", products),
    reviews(),
  ];
}

/** `medley assign` as anyone would type it, in a folder of its own. */
function assigned(
  config: object,
  records: readonly object[],
  options: readonly string[] = [],
): readonly TaskReport[] {
  const folder = mkdtempSync(join(tmpdir(), "medley-assign-"));
  try {
    writeFileSync(join(folder, "medley.config.json"), JSON.stringify(config));
    writeFileSync(join(folder, "records.jsonl"), records.map((record) => JSON.stringify(record)).join("\n"));
    const args = [command, "--json", "assign", "--plan", "--from", "records.jsonl", ...options];
    const answer = execFileSync(process.execPath, args, {
      cwd: folder,
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    });
    return (JSON.parse(answer) as { data: { tasks: readonly TaskReport[] } }).data.tasks;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function assignedFilms(): readonly TaskReport[] {
  const text = { encoder: "text", field: "plot" };
  const config = {
    collections: {
      films: {
        unknownKeys: "ignore",
        fields: {
          ...{ plot: "text", title: "text", year: "number", cast: "categories", players: "edges" },
          ...{ genre: "category", decade: "category" },
        },
        spaces: {
          plot: { candidates: [text, { encoder: "words", field: "plot", dimensions: 128 }] },
          cast: {
            candidates: [
              { encoder: "entity", field: "cast", dimensions: 64 },
              { encoder: "node2vec", field: "players", dimensions: 64 },
            ],
          },
          title: { encoder: "words", field: "title", dimensions: 64 },
          year: { encoder: "number", field: "year", range: [1970, 2023] },
        },
        tasks: {
          genre: { kind: "classification", label: "genre" },
          decade: { kind: "classification", label: "decade", without: ["year"] },
        },
      },
    },
  };
  const records = films(2_500).map((film) => ({
    ...film,
    ...{ players: film.cast, genre: film.genres[0] ?? null, decade: `${Math.floor(film.year / 10)}0s` },
  }));
  return assigned(config, records);
}

/** What of a product tells its category: the example's spaces, but for the one that reads it. */
async function assignedProducts(): Promise<readonly TaskReport[]> {
  const example = new URL("../../../examples/products/", import.meta.url).pathname;
  const loaded = (await loadConfig(example)).collections.get("products") as Collection;
  const config = {
    collections: {
      products: {
        fields: Object.fromEntries(loaded.fields.map(({ name, type }) => [name, type])),
        spaces: Object.fromEntries(loaded.spaces.map(({ name, definition }) => [name, definition])),
        tasks: { category: { kind: "classification", label: "category" } },
      },
    },
  };
  const lines = readFileSync(join(example, "products.jsonl"), "utf8").trimEnd().split("\n");
  return assigned(
    config,
    lines.map((line) => JSON.parse(line)),
  );
}

/** Reviews take long: a pre-trained model reads as many as the variable says, and is fine-tuned. */
function reviews(): Measurement {
  const recordsMax = process.env.MEDLEY_BENCH_REVIEWS;
  if (recordsMax === undefined) {
    return {
      name: "assignment, IMDB: choices that the test records confirm",
      value: null,
      goal: "all, at least one",
      met: null,
      detail:
        "of 2,000 reviews it takes a quarter of an hour, of 5,000 three: runs with MEDLEY_BENCH_REVIEWS=5000",
    };
  }
  const reviewsOf = (path: string) =>
    readLines<{ text: string; label: string }>(path).map((review, at) => ({
      ...review,
      id: `${path} ${at}`,
    }));
  const records = [...reviewsOf("imdb/train.jsonl.gz"), ...reviewsOf("imdb/test.jsonl.gz")];
  const text = { encoder: "text", field: "text" };
  const config = {
    collections: {
      reviews: {
        unknownKeys: "ignore",
        fields: { text: "text", label: "category" },
        spaces: {
          text: {
            candidates: [
              text,
              { encoder: "words", field: "text", dimensions: 256 },
              { ...text, tuned: { target: "label", blocks: 2 } },
            ],
          },
        },
        tasks: { sentiment: { kind: "classification", label: "label" } },
      },
    },
  };
  return confirmedShare("IMDB", assigned(config, records, ["--records", recordsMax]));
}
