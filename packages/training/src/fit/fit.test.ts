import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { decodeSafetensors } from "@medley/models";
import { expect, onTestFinished, test } from "vitest";
import { CheckpointFolder } from "./checkpoint.ts";
import { type FitOptions, fitEpochs } from "./fit.ts";
import { trainIn } from "./killed-training.fixture.ts";
import { batchesOf, LeastSquares, type Rows, rowsOf } from "./least-squares.fixture.ts";
import { encodeSafetensors } from "./safetensors.ts";
import { constantRate, cosineRate } from "./schedule.ts";

const [train, held] = [rowsOf(80, 1), rowsOf(40, 2)];

/** Validation that says what it is told, epoch by epoch. */
function scripted(scores: readonly number[], rest: { better?: "higher" | "lower"; patience?: number } = {}) {
  let epoch = 0;
  const run = () => ({ score: scores[epoch++] as number });
  return { run, by: "score", better: "higher" as const, ...rest };
}

function optionsOf(step: LeastSquares, rest: Partial<FitOptions<Rows>> = {}): FitOptions<Rows> {
  return {
    ...{
      step,
      batches: batchesOf(train),
      stepsPerEpoch: 10,
      epochsMax: 12,
      schedule: cosineRate(0.05),
      seed: 3,
    },
    validation: { run: () => ({ error: step.error(held) }), by: "error", better: "lower" },
    ...rest,
  };
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "medley-fit-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "checkpoint");
}

test("least squares is learned: the error falls to the noise's, curves tell of it", async () => {
  const step = new LeastSquares();
  const seen: string[] = [];
  const fitted = await fitEpochs(
    optionsOf(step, {
      onProgress: ({ stage, done, total, unit }) => seen.push(`${stage} ${done}/${total} ${unit}`),
    }),
  );
  expect(fitted).toMatchObject({ epochs: 12, endedBy: "epochs" });
  expect(step.error(held)).toBeLessThan(0.02);
  expect(fitted.metrics.error).toBe(step.error(held));
  expect(fitted.curves.map(({ name, points }) => [name, points.length])).toEqual([
    ["train/loss", 12],
    ["error", 12],
  ]);
  expect(fitted.curves[0]?.points[0]?.value).toBeGreaterThan(1);
  expect(seen).toHaveLength(120);
  expect(seen[13]).toBe("epoch 2 4/10 steps");
});

test("the best epoch by validation is kept, not the last; patience ends the training", async () => {
  const states: Float32Array[] = [];
  const step = new LeastSquares();
  const fitted = await fitEpochs(
    optionsOf(step, {
      validation: scripted([1, 3, 2, 3, 2, 9], { patience: 3 }),
      onEpoch: () => void states.push(step.weights.slice()),
    }),
  );
  expect(fitted).toMatchObject({ epochs: 5, keptEpoch: 1, endedBy: "patience", metrics: { score: 3 } });
  expect(step.weights).toEqual(states[1]);
  expect(step.weights).not.toEqual(states[4]);
  const lower = await fitEpochs(
    optionsOf(new LeastSquares(), { validation: scripted([5, 1, 2], { better: "lower" }), epochsMax: 3 }),
  );
  expect(lower.keptEpoch).toBe(1);
});

test("a seed decides the order of the rows, anew in every epoch", async () => {
  const bits = async (seed: number) => {
    const step = new LeastSquares();
    await fitEpochs(optionsOf(step, { seed }));
    return [...step.weights];
  };
  expect(await bits(3)).toEqual(await bits(3));
  expect(await bits(3)).not.toEqual(await bits(4));
  const orders: number[] = [];
  const batches: FitOptions<Rows>["batches"] = (random) => {
    orders.push(random.uint32());
    return batchesOf(train)(random);
  };
  for (const seed of [3, 4]) await fitEpochs(optionsOf(new LeastSquares(), { batches, seed, epochsMax: 4 }));
  expect(new Set(orders).size).toBe(8);
});

test("the schedule sees every step; batches beyond those of an epoch are not taken", async () => {
  const step = new LeastSquares();
  const schedule = ({ epoch, step: at }: { epoch: number; step: number }) => (1 + epoch + at / 100) / 1000;
  await fitEpochs(optionsOf(step, { schedule, stepsPerEpoch: 3, epochsMax: 2 }));
  expect(step.learningRates.map((rate) => Math.round(rate * 1e5))).toEqual([100, 101, 102, 203, 204, 205]);
  await expect(fitEpochs(optionsOf(step, { stepsPerEpoch: 11 }))).rejects.toThrow(
    "epoch 0 has 10 batches, not 11",
  );
});

test("the signal ends it within a step, with the best that was", async () => {
  const [step, ended] = [new LeastSquares(), new AbortController()];
  let afterFirst = new Float32Array();
  const fitted = await fitEpochs(
    optionsOf(step, {
      signal: ended.signal,
      onEpoch: (epoch) => {
        if (epoch === 0) afterFirst = step.weights.slice();
      },
      validation: scripted([2, 1, 1, 1]),
      onProgress: ({ stage, done }) => {
        if (stage === "epoch 3" && done === 4) ended.abort();
      },
    }),
  );
  expect(fitted).toMatchObject({ epochs: 2, keptEpoch: 0, endedBy: "signal", metrics: { score: 2 } });
  expect(step.learningRates).toHaveLength(24);
  expect(step.weights).toEqual(afterFirst);
  const begun = new LeastSquares();
  const first = new AbortController();
  const cut = await fitEpochs(optionsOf(begun, { signal: first.signal, onProgress: () => first.abort() }));
  expect(cut).toMatchObject({ epochs: 0, keptEpoch: null, endedBy: "signal", metrics: {} });
  expect(begun.weights).not.toEqual(new Float32Array(5));
});

test("a loss or a figure that is no number ends it with an error", async () => {
  const step = new LeastSquares();
  await expect(fitEpochs(optionsOf(step, { schedule: constantRate(1e30) }))).rejects.toMatchObject({
    code: "training_diverged",
    message: expect.stringMatching(/^train\/loss is (NaN|Infinity) in epoch 1$/),
  });
  const validation = scripted([1, Number.NaN]);
  await expect(fitEpochs(optionsOf(new LeastSquares(), { validation }))).rejects.toThrow(
    "score is NaN in epoch 2",
  );
});

const [killable, run] = [join(import.meta.dirname, "killed-training.fixture.ts"), promisify(execFile)];

test("killed in the middle of an epoch, and again, it comes to the same bits", async () => {
  const folder = await temporaryFolder();
  for (const where of [
    ["1", "5"],
    ["8", "10"],
  ]) {
    await expect(run(process.execPath, [killable, folder, ...where])).rejects.toMatchObject({
      signal: "SIGKILL",
    });
  }
  expect((await readdir(folder)).length).toBeGreaterThan(0);
  const stages: string[] = [];
  const resumed = await trainIn(folder, ({ stage }) => stages.push(stage));
  expect(stages[0]).toBe("epoch 8");
  expect(resumed).toEqual(await trainIn(await temporaryFolder()));
  expect(resumed.fitted.epochs).toBe(12);
});

test("a checkpoint keeps the best beside the last, and no other; it goes on from there", async () => {
  const path = await temporaryFolder();
  const checkpoint = new CheckpointFolder(path, { identity: "a" });
  const optionsUntil = (epochsMax: number, scores: number[], rest: Partial<FitOptions<Rows>>) => ({
    ...{ epochsMax, validation: scripted(scores), schedule: constantRate(0.01) },
    ...rest,
  });
  const whole = new LeastSquares();
  await fitEpochs(optionsOf(whole, optionsUntil(6, [1, 3, 2, 4, 1, 1], {})));
  await fitEpochs(optionsOf(new LeastSquares(), optionsUntil(3, [1, 3, 2], { checkpoint })));
  expect((await readdir(path)).sort()).toEqual(["best-1.safetensors", "last.safetensors"]);
  const step = new LeastSquares();
  const fitted = await fitEpochs(optionsOf(step, optionsUntil(6, [4, 1, 1], { checkpoint })));
  expect(step.weights).toEqual(whole.weights);
  expect(fitted).toMatchObject({ epochs: 6, keptEpoch: 3 });
  expect(fitted.curves.find(({ name }) => name === "score")?.points.map(({ value }) => value)).toEqual([
    1, 3, 2, 4, 1, 1,
  ]);
  expect((await readdir(path)).sort()).toEqual(["best-3.safetensors", "last.safetensors"]);
  // What has ended ends again at once, with the same weights.
  const again = new LeastSquares();
  const repeated = await fitEpochs(optionsOf(again, optionsUntil(6, [], { checkpoint })));
  expect(repeated).toEqual(fitted);
  expect(again.weights).toEqual(step.weights);
  expect(again.learningRates).toEqual([]);
  await checkpoint.remove();
  await expect(readdir(path)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a checkpoint of other data or settings, or a damaged one, is refused", async () => {
  const path = await temporaryFolder();
  const withIdentity = (identity: string) =>
    fitEpochs(
      optionsOf(new LeastSquares(), { checkpoint: new CheckpointFolder(path, { identity }), epochsMax: 2 }),
    );
  await withIdentity("a");
  await expect(withIdentity("b")).rejects.toMatchObject({
    code: "run_damaged",
    message: expect.stringContaining("other data or settings"),
  });
  const bytes = await readFile(join(path, "last.safetensors"));
  await writeFile(join(path, "last.safetensors"), bytes.subarray(0, bytes.length - 4));
  await expect(withIdentity("a")).rejects.toMatchObject({ code: "run_damaged" });
  await writeFile(join(path, "last.safetensors"), bytes);
  for (const file of await readdir(path)) if (file.startsWith("best")) await rm(join(path, file));
  await expect(withIdentity("a")).rejects.toMatchObject({ code: "run_damaged" });
});

test("safetensors are read as they were written, by bits; data are aligned", () => {
  const tensors = new Map([
    ["w", { dims: [2, 2], data: Float32Array.of(1, -0, Number.NaN, 1e-45) }],
    ["scalar", { dims: [], data: Float32Array.of(7) }],
    ["none", { dims: [0, 3], data: new Float32Array() }],
  ]);
  const bytes = encodeSafetensors(tensors, { note: "ä" });
  expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
  const read = decodeSafetensors(bytes);
  expect(read.metadata).toEqual({ note: "ä" });
  for (const [name, { dims, data }] of tensors) {
    expect(read.tensors.get(name)?.shape).toEqual(dims);
    expect(Buffer.from(read.tensors.get(name)?.values.buffer as ArrayBuffer)).toEqual(
      Buffer.from(data.buffer),
    );
  }
  expect(() => encodeSafetensors(new Map([["w", { dims: [3], data: Float32Array.of(1) }]]))).toThrow(
    "w is [3]",
  );
});
