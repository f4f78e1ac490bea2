/** Epochs over the engine's own step: what the training of every neural model does. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Random } from "@medley/core";
import { expect, onTestFinished, test } from "vitest";
import { Graph } from "../engine/graph.ts";
import { linear } from "../engine/layers.ts";
import { meanSquaredError } from "../engine/losses.ts";
import { type Batch, TrainingStep } from "../engine/training-step.ts";
import { CheckpointFolder } from "./checkpoint.ts";
import { type FitOptions, fitEpochs } from "./fit.ts";
import { cosineRate } from "./schedule.ts";

/** y = sin(2x). Without dropout: its random numbers are ONNX Runtime's own, and no part of a step's state. */
async function openSine(): Promise<TrainingStep> {
  const graph = new Graph({ seed: 5 });
  const hidden = linear("hidden", graph.input("x", [16, 1]), 32).tanh();
  return TrainingStep.create(graph, meanSquaredError(linear("out", hidden, 1), graph.input("y", [16, 1])));
}

function* batches(random: Random): Generator<Batch> {
  for (let batch = 0; batch < 20; batch += 1) {
    const x = Float32Array.from({ length: 16 }, () => 4 * random.uniform() - 2);
    yield { x, y: x.map((value) => Math.sin(2 * value)) };
  }
}

test("stopped and resumed, the engine's step comes to the same bits as one that never stopped", async () => {
  const folder = await mkdtemp(join(tmpdir(), "medley-fit-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const checkpoint = new CheckpointFolder(join(folder, "checkpoint"), { identity: "sine" });
  const train = async (rest: Partial<FitOptions<Batch>>) => {
    await using step = await openSine();
    const base = { batches, stepsPerEpoch: 20, epochsMax: 20, schedule: cosineRate(0.02), seed: 1 };
    const fitted = await fitEpochs({ step, ...base, ...rest });
    return { fitted, state: step.state() };
  };
  const ended = new AbortController();
  const onProgress: FitOptions<Batch>["onProgress"] = ({ stage, done }) => {
    if (stage === "epoch 8" && done === 7) ended.abort();
  };
  const cut = await train({ checkpoint, signal: ended.signal, onProgress });
  expect(cut.fitted).toMatchObject({ epochs: 7, keptEpoch: 6, endedBy: "signal" });
  const resumed = await train({ checkpoint });
  const whole = await train({});
  expect(resumed).toEqual(whole);
  expect(whole.fitted.curves[0]?.points.at(-1)?.value).toBeLessThan(0.1);
});
