/**
 * A training in a process of its own, to be killed: `node killed-training.fixture.ts FOLDER [epoch step]`. With an epoch and a step it
 * kills itself there, in the midst of things; without, it prints what it has come to.
 */
import { CheckpointFolder } from "./checkpoint.ts";
import { fitEpochs } from "./fit.ts";
import { batchesOf, LeastSquares, rowsOf } from "./least-squares.fixture.ts";
import { cosine } from "./schedule.ts";

const [folder = "", epoch, killAt] = process.argv.slice(2);
const step = new LeastSquares();
const [train, held] = [rowsOf(80, 1), rowsOf(40, 2)];
const fitted = await fitEpochs({
  ...{ step, batches: batchesOf(train), stepsPerEpoch: 10, epochsMax: 12, schedule: cosine(0.05), seed: 3 },
  validation: {
    run: () => ({ "validation/error": step.error(held) }),
    by: "validation/error",
    better: "lower",
  },
  checkpoint: new CheckpointFolder(folder, { identity: "least squares" }),
  onProgress: ({ stage, done }) => {
    if (stage === `epoch ${epoch}` && String(done) === killAt) process.kill(process.pid, "SIGKILL");
  },
});
process.stdout.write(JSON.stringify({ fitted, bits: Buffer.from(step.weights.buffer).toString("hex") }));
