import { strict as assert } from "node:assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Collection, Encoder, Space } from "@medley/core";
import type { Source } from "@medley/sources";
import { backfill, type Deployment, loadConfig, openDeployment, readSettings } from "medley";
import type { Film } from "./films.ts";

export interface PipelineOptions {
  /** Default: those of the example films. */
  readonly collections?: ReadonlyMap<string, Collection>;
  readonly encoderOf?: (space: Space) => Encoder | null;
}

/** The embedded pipeline as `medley backfill` opens it, in a folder of its own that `work` may fill. */
export async function withPipeline<Value>(
  options: PipelineOptions,
  work: (deployment: Deployment) => Promise<Value>,
): Promise<Value> {
  const dataDir = await mkdtemp(join(tmpdir(), "medley-bench-"));
  try {
    const { collections } = await loadConfig(join(import.meta.dirname, "../../examples/films"));
    const settings = readSettings({ MEDLEY_DATA_DIR: dataDir, MEDLEY_POSTGRES_PORT: "0" });
    await using deployment = await openDeployment({ collections, settings, ...options });
    await deployment.runStages(["embed", "index"]);
    return await work(deployment);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Sends the films through the whole pipeline; returns when all are indexed. */
export async function ingest(deployment: Deployment, films: readonly Film[]): Promise<void> {
  const { state, progress } = await backfill({
    deployment,
    collection: "films",
    source: sourceOf(films),
    path: "films.jsonl",
  });
  assert.equal(state, "done");
  assert.equal(progress.indexed, films.length, "every film is indexed");
}

/** The same films as other records. */
export function renamed(films: readonly Film[], prefix: string): Film[] {
  return films.map((film) => ({ ...film, id: `${prefix}-${film.id}` }));
}

function sourceOf(films: readonly Film[]): Source {
  return {
    name: "films.jsonl",
    textual: false,
    total: async () => films.length,
    fingerprint: async () => "films",
    async *records({ skip = 0 } = {}) {
      for (const [index, film] of films.slice(skip).entries()) {
        const source = `films.jsonl:${skip + index + 1}`;
        yield { ok: true, value: { ...film }, source, payload: new Uint8Array(0) };
      }
    },
  };
}
