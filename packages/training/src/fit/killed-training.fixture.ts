/** A training that may be killed: as a process, `node killed-training.fixture.ts FOLDER EPOCH STEP`, it kills itself there. */
import type { TrainingProgress } from "../progress.ts";
import { CheckpointFolder } from "./checkpoint.ts";
import { fitEpochs } from "./fit.ts";
import { batchesOf, LeastSquares, rowsOf } from "./least-squares.fixture.ts";
import { cosineRate } from "./schedule.ts";

/** What it comes to, to the bit. */
export async function trainIn(folder: string, onProgress: (progress: TrainingProgress) => void = () => {}) {
  const step = new LeastSquares();
  const [train, held] = [rowsOf(80, 1), rowsOf(40, 2)];
  const fitted = await fitEpochs({
    ...{
      step,
      batches: batchesOf(train),
      stepsPerEpoch: 10,
      epochsMax: 12,
      schedule: cosineRate(0.05),
      seed: 3,
    },
    validation: { run: () => ({ error: step.error(held) }), by: "error", better: "lower" },
    checkpoint: new CheckpointFolder(folder, { identity: "least squares" }),
    onProgress,
  });
  return { fitted, bits: Buffer.from(step.weights.buffer).toString("hex") };
}

if (import.meta.main) {
  const [folder = "", epoch, killAt] = process.argv.slice(2);
  await trainIn(folder, ({ stage, done }) => {
    if (stage === `epoch ${epoch}` && String(done) === killAt) process.kill(process.pid, "SIGKILL");
  });
}
