/** A fine-tuning that may be killed: as a process, `node killed-tuning.fixture.ts FOLDER WAY STAGE DONE`, it kills itself there. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { TrainingProgress } from "../progress.ts";
import { searchText } from "./search-text.ts";
import { classes, sentences } from "./sentences.fixture.ts";
import { tuneText } from "./tune-text.ts";

/** `blocks`: the last one, for three epochs. `search`: two candidates of one round. */
export type TuningWay = "blocks" | "search";

/** What it comes to, to the bit: the hash of every file, and what it was told on the way. */
export async function tuneIn(
  folder: string,
  way: TuningWay,
  { seed = 5, onProgress }: { seed?: number; onProgress?: (progress: TrainingProgress) => void } = {},
): Promise<{ hashes: Record<string, string>; stages: readonly string[] }> {
  const stages = new Set<string>();
  const options = {
    ...{ model: "all-MiniLM-L6-v2", environment: {}, seed, threads: 1, classes, target: "about" },
    ...{ train: sentences(0), validation: sentences(3), tokensMax: 24 },
    ...{ checkpoints: folder, cacheDirectory: join(folder, "rows") },
    onProgress: (progress: TrainingProgress) => {
      stages.add(progress.stage);
      onProgress?.(progress);
    },
  };
  const settings = { blocks: 1, learningRate: 1e-4, batchRows: 8, weightDecay: 0.01, epochs: 3 };
  const { files } =
    way === "blocks"
      ? await tuneText({ ...options, settings })
      : await searchText({ ...options, candidates: 2, roundsMax: 1, fixed: { epochs: 1 } });
  const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const hashes = Object.fromEntries([...files].map(([path, bytes]) => [path, hashOf(bytes)]));
  return { hashes, stages: [...stages] };
}

if (import.meta.main) {
  const [folder = "", way, stage = "", done] = process.argv.slice(2);
  const onProgress = (progress: TrainingProgress) => {
    if (progress.stage.startsWith(stage) && progress.done >= Number(done))
      process.kill(process.pid, "SIGKILL");
  };
  await tuneIn(folder, way as TuningWay, { onProgress });
}
