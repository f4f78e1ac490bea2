import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { AveragedStep } from "./averaged-step.ts";
import { batchesOf, LeastSquares, type Rows, rowsOf } from "./least-squares.fixture.ts";

class Learning extends LeastSquares {
  trained() {
    return new Map([["weights", this.weights.slice()]]);
  }
}

const batches = [...batchesOf(rowsOf(320, 7, 3))(new Random(1))] as Rows[];

async function trainAll(step: AveragedStep<Rows>, from: readonly Rows[]): Promise<void> {
  for (const batch of from) await step.train(batch, 0.05);
}

test("the mean of what was learned, each step's by the decay more than the one before; the step goes on as without it", async () => {
  const [inner, alone] = [new Learning(), new Learning()];
  const step = new AveragedStep(inner, { decay: 0.75 });
  expect(step.trained()).toEqual(alone.trained());
  let [sum, counted] = [new Array<number>(5).fill(0), 0];
  for (const batch of batches.slice(0, 6)) {
    await step.train(batch, 0.05);
    await alone.train(batch, 0.05);
    sum = sum.map((value, at) => value * 0.75 + (alone.weights[at] as number));
    counted = counted * 0.75 + 1;
  }
  expect(inner.weights).toEqual(alone.weights);
  const mean = step.trained().get("weights") as Float32Array;
  for (const [at, value] of mean.entries()) expect(value).toBeCloseTo((sum[at] as number) / counted, 5);
});

test("where batches differ much the mean is nearer to the truth than the last step", async () => {
  const inner = new Learning();
  const step = new AveragedStep(inner, { decay: 0.98 });
  for (let pass = 0; pass < 20; pass += 1) await trainAll(step, batches);
  const averaged = new Learning();
  averaged.weights.set(step.trained().get("weights") as Float32Array);
  const unseen = rowsOf(2_000, 8, 0);
  expect(averaged.error(unseen)).toBeLessThan(0.5 * inner.error(unseen));
});

test("restored from a state it comes to the same bits", async () => {
  const whole = new AveragedStep(new Learning(), { decay: 0.9 });
  await trainAll(whole, batches.slice(0, 10));
  const resumed = new AveragedStep(new Learning(), { decay: 0.9 });
  await resumed.restore(whole.state());
  await trainAll(whole, batches.slice(10, 20));
  await trainAll(resumed, batches.slice(10, 20));
  expect(resumed.trained()).toEqual(whole.trained());
  expect(resumed.state()).toEqual(whole.state());
});
