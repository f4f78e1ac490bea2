import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { MedleyError } from "@medley/core";
import type { CollectionEncoders } from "@medley/pipeline";
import { exactNeighbours, readVectors, type StoredVector } from "@medley/store";
import type { Deployment } from "../deployment/deployment.ts";
import { ListFile } from "./list-file.ts";

export interface ExportOptions {
  readonly deployment: Deployment;
  readonly collection: string;
  readonly folder: string;
  /** Rows that become queries: spread evenly over the ids, and left out of what is searched. */
  readonly queries: number;
  /** Neighbours of each. */
  readonly k: number;
  readonly signal: AbortSignal;
  readonly onProgress: (state: {
    readonly done: number;
    readonly total: number;
    readonly phase: string;
  }) => void;
}

export interface Exported {
  readonly train: number;
  readonly test: number;
  readonly dimensions: number;
}

/**
 * Writes a collection in VectorDBBench's format for data of one's own, metric inner product: `train.parquet` holds fused vectors numbered in
 * the order of their ids, `test.parquet` queries weighted as the collection's searches are, `neighbors.parquet` what an exact scan
 * finds for each. Throws `usage` where there is such a folder already or where the rows are too few.
 */
export async function writeVectorDbBench(options: ExportOptions): Promise<Exported> {
  const { deployment, collection, folder, queries } = options;
  const total = await rowsOf(deployment, collection);
  if (total < 2 * queries) {
    throw new MedleyError("usage", `${collection} has ${total} rows, too few for ${queries} queries`, {
      mend: `ask for at most ${Math.floor(total / 2)}: --queries`,
    });
  }
  if (existsSync(join(folder, "train.parquet"))) {
    throw new MedleyError("usage", `${folder} has a train.parquet already`, { mend: "name another folder" });
  }
  mkdirSync(folder, { recursive: true });
  const { numbers, test } = await writeTrain(options, total);
  await writeQueries(options, { numbers, test });
  const { dimensions } = deployment.collection(collection);
  return { train: numbers.size, test: test.length, dimensions };
}

interface Parted {
  /** In train.parquet, by record id. */
  readonly numbers: ReadonlyMap<string, number>;
  readonly test: readonly StoredVector[];
}

async function writeTrain(options: ExportOptions, total: number): Promise<Parted> {
  const { deployment, collection, folder, queries, signal, onProgress } = options;
  const train = new ListFile(join(folder, "train.parquet"), { column: "emb", element: "FLOAT" });
  const numbers = new Map<string, number>();
  const test: StoredVector[] = [];
  const step = Math.floor(total / queries);
  let done = 0;
  for await (const row of readVectors(deployment.pool, collection)) {
    signal.throwIfAborted();
    if (done % step === 0 && test.length < queries) test.push(row);
    else {
      await train.write({ id: numbers.size, list: row.vector });
      numbers.set(row.id, numbers.size);
    }
    done += 1;
    onProgress({ done, total, phase: "vectors" });
  }
  await train.close();
  return { numbers, test };
}

async function writeQueries(options: ExportOptions, { numbers, test }: Parted): Promise<void> {
  const { deployment, collection, folder, k, signal, onProgress } = options;
  const asked = new ListFile(join(folder, "test.parquet"), { column: "emb", element: "FLOAT" });
  const neighbours = new ListFile(join(folder, "neighbors.parquet"), {
    column: "neighbors_id",
    element: "INT64",
  });
  const without = test.map(({ id }) => id);
  for (const [id, { vector }] of test.entries()) {
    signal.throwIfAborted();
    const query = weighted(deployment.collection(collection), vector);
    const found = await exactNeighbours(deployment.pool, collection, { query, k, without });
    await asked.write({ id, list: query });
    // Rows that came meanwhile are not in the file.
    const list = found.map((name) => numbers.get(name)).filter((number) => number !== undefined);
    await neighbours.write({ id, list });
    onProgress({ done: id + 1, total: test.length, phase: "neighbours" });
  }
  await Promise.all([asked.close(), neighbours.close()]);
}

async function rowsOf({ store }: Deployment, collection: string): Promise<number> {
  const statuses = await store.collectionStatus();
  return statuses.find((status) => status.collection === collection)?.rowsLive ?? 0;
}

function weighted({ collection, layout }: CollectionEncoders, vector: readonly number[]): readonly number[] {
  return layout.flatMap(({ space, offset, dimensions }) => {
    const weight = collection.weights[space] ?? 1;
    return vector.slice(offset, offset + dimensions).map((x) => x * weight);
  });
}
