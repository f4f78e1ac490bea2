import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { RunStart } from "./run-record.ts";

export const someStart: RunStart = {
  model: "films.plot",
  kind: "words",
  seed: 7,
  data: { sha256: "ab".repeat(32), count: 1000 },
  split: { by: "random", train: 700, validation: 100, test: 200 },
  parameters: {
    dimensions: 64,
    ngrams: [1, 2],
    optimiser: { learningRate: 0.001, weightDecay: 0 },
    target: null,
  },
};

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "medley-runs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}
