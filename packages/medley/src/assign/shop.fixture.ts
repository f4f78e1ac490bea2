import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Collection, checkConfig } from "@medley/core";
import { emptyLock } from "@medley/models";
import { Random, type TrainingRecord } from "@medley/training";
import { onTestFinished } from "vitest";
import type { AssignCollectionOptions } from "./assign-collection.ts";

const values = Array.from({ length: 12 }, (_, at) => `kind ${at}`);
/** Fields that say nothing of a kind. */
export const silent = ["shape", "grain", "origin", "maker"];

/** The colour tells the kind; the shelf and the silent fields do not. `weight` is what the configuration gives to `shape`. */
export function shop({
  without,
  weight,
}: {
  readonly without?: readonly string[];
  readonly weight?: number;
} = {}): Collection {
  const silentSpaces = silent.map((field) => [field, { encoder: "vector", field }]);
  const [checked] = checkConfig({
    collections: {
      shop: {
        fields: {
          ...{ shelf: "category", colour: "category", kind: "category" },
          ...Object.fromEntries(silent.map((name) => [name, "vector(3)"])),
        },
        spaces: {
          place: {
            candidates: [
              { encoder: "category", field: "shelf", values },
              { encoder: "category", field: "colour", values },
            ],
          },
          ...Object.fromEntries(silentSpaces),
          shape: { encoder: "vector", field: "shape", ...(weight === undefined ? {} : { weight }) },
          kind: { encoder: "category", field: "kind", values },
        },
        tasks: { kind: { kind: "classification", label: "kind", without } },
      },
    },
  });
  return checked as Collection;
}

const random = new Random(1);

export const rows = Array.from({ length: 400 }, (_, n): TrainingRecord => {
  const kind = values[n % 12] as string;
  const shelf = values[Math.floor(n / 12) % 12] as string;
  const vector = () => Float32Array.from({ length: 3 }, () => random.normal());
  const drawn = Object.fromEntries(silent.map((name) => [name, vector()]));
  return { id: `r${n}`, fields: { shelf, colour: kind, kind, ...drawn } };
});

export function recordsOf(given: readonly TrainingRecord[]): AssignCollectionOptions["records"] {
  return {
    name: "rows",
    async *read() {
      yield* given;
    },
    skipped: { count: 0, first: null },
  };
}

/** An assignment of a shop in a folder of its own, which is removed after the test. */
export async function shopOptions(given: Partial<AssignCollectionOptions>): Promise<AssignCollectionOptions> {
  const folder = await mkdtemp(join(tmpdir(), "medley-assign-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return {
    ...{ collection: shop(), seed: 1, threads: 1, device: "cpu", environment: {}, recordsMax: 1_000 },
    lock: { ...emptyLock, file: join(folder, "medley.lock.json") },
    records: recordsOf(rows),
    signal: new AbortController().signal,
    onProgress: () => {},
    ...given,
  };
}
