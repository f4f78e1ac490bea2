import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MedleyError, Random } from "@medley/core";
import { expect, onTestFinished, test } from "vitest";
import { fitEpochs } from "../fit/fit.ts";
import { batchesOf, LeastSquares, rowsOf } from "../fit/least-squares.fixture.ts";
import { constantRate } from "../fit/schedule.ts";
import {
  type Candidate,
  choice,
  gridOf,
  integer,
  logUniform,
  sampleCandidates,
  uniform,
} from "./search-space.ts";
import { type HalvingOptions, rungsOf, successiveHalving } from "./successive-halving.ts";

const space = {
  learningRate: logUniform(1e-4, 1e-1),
  batchRows: choice(8, 16, 32),
  blocks: integer(1, 4),
  dropout: uniform(0, 0.5),
  pooling: choice("mean", "cls"),
};

test("candidates lie in their space, differ, and follow from the seed", () => {
  const sample = (seed: number) => sampleCandidates(space, { count: 200, random: new Random(seed) });
  const candidates = sample(1);
  expect(sample(1)).toEqual(candidates);
  expect(sample(2)).not.toEqual(candidates);
  expect(new Set(candidates.map((each) => JSON.stringify(each))).size).toBe(200);
  for (const { learningRate, batchRows, blocks, dropout, pooling } of candidates) {
    expect(learningRate >= 1e-4 && learningRate < 1e-1 && dropout >= 0 && dropout < 0.5).toBe(true);
    expect([8, 16, 32]).toContain(batchRows);
    expect([1, 2, 3, 4]).toContain(blocks);
    expect(["mean", "cls"]).toContain(pooling);
  }
  // As many below 1e-3 as between 1e-3 and 1e-2: factors are as likely, not values.
  const low = candidates.filter(({ learningRate }) => learningRate < 1e-3).length;
  expect(low).toBeGreaterThan(45);
  expect(low).toBeLessThan(90);
});

test("a small space is its grid", () => {
  const small = { a: choice("x", "y"), b: integer(1, 3) };
  const grid: Candidate<typeof small>[] = gridOf(small);
  expect(grid.map(({ a, b }) => `${a}${b}`)).toEqual(["x1", "x2", "x3", "y1", "y2", "y3"]);
  const sampled = sampleCandidates(small, { count: 50, random: new Random(1) });
  expect(sampled.map(({ a, b }) => `${a}${b}`).sort()).toEqual(["x1", "x2", "x3", "y1", "y2", "y3"]);
  expect(sampleCandidates(small, { count: 4, random: new Random(1) })).toHaveLength(4);
  expect(() => gridOf({ a: integer(1, 101), b: integer(1, 100) })).toThrow("a grid of at most");
});

test.for([
  [27, 1, 27, 3, ["27x1", "9x3", "3x9", "1x27"]],
  [8, 1, 5, 2, ["8x1", "4x2", "2x4", "1x5"]],
  [2, 1, 9, 3, ["2x1", "1x3", "1x9"]],
  [5, 4, 4, 3, ["5x4"]],
] as const)("rungs of %s candidates from %s to %s", ([count, budgetMin, budgetMax, reduction, expected]) => {
  const rungs = rungsOf(count, { budgetMin, budgetMax, reduction });
  expect(rungs.map(({ candidates, budget }) => `${candidates}x${budget}`)).toEqual(expected);
});

/** A candidate is its own quality, seen through noise that falls with the budget. */
function searchOf(rest: Partial<HalvingOptions<number>> = {}): HalvingOptions<number> & { calls: string[] } {
  const calls: string[] = [];
  const evaluate: HalvingOptions<number>["evaluate"] = async (
    quality,
    { budget, budgetBefore, candidate, seed },
  ) => {
    calls.push(`${candidate}: ${budgetBefore} to ${budget}`);
    return quality + new Random(seed + candidate).normal() / budget;
  };
  const candidates = Array.from({ length: 27 }, (_, at) => ((at * 7) % 27) / 2);
  return { candidates, budgetMin: 1, budgetMax: 27, seed: 1, evaluate, calls, ...rest };
}

test("the best goes up the rungs, at a fraction of the cost of training all to the end", async () => {
  const seen: string[] = [];
  const search = searchOf({ onProgress: ({ stage, done, total }) => seen.push(`${stage} ${done}/${total}`) });
  const { best, trials, isComplete } = await successiveHalving(search);
  expect(best).toMatchObject({ candidate: 13, budget: 27 });
  expect(isComplete).toBe(true);
  expect(trials).toHaveLength(40);
  expect(trials.reduce((sum, { budget }) => sum + budget, 0)).toBe(4 * 27);
  expect(search.calls.at(-1)).toMatch(/: 9 to 27$/);
  expect(seen.at(-1)).toBe("search, budget 27 40/40");
});

async function trialsFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "medley-trials-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "trials.json");
}

test("cut off anywhere, it goes on with the next trial and comes to the same", async () => {
  const whole = await successiveHalving(searchOf());
  for (const cut of [0, 1, 26, 27, 30, 39]) {
    const trialsPath = await trialsFile();
    const ended = new AbortController();
    const first = searchOf({ trialsPath, signal: ended.signal });
    const { evaluate } = first;
    const cutting = async (...given: Parameters<typeof evaluate>) => {
      if (first.calls.length === cut) ended.abort();
      return evaluate(...given);
    };
    const partial = await successiveHalving({ ...first, evaluate: cutting });
    expect(partial.isComplete).toBe(false);
    expect(partial.trials).toHaveLength(cut);
    expect(partial.best === null).toBe(cut === 0);
    const second = searchOf({ trialsPath });
    expect(await successiveHalving(second)).toEqual(whole);
    expect(second.calls).toHaveLength(40 - cut);
  }
});

test("trials of another search, or a damaged list, are refused", async () => {
  const trialsPath = await trialsFile();
  await successiveHalving(searchOf({ trialsPath }));
  for (const other of [{ seed: 2 }, { identity: "other data" }, { budgetMax: 9 }, { candidates: [1, 2] }]) {
    await expect(successiveHalving(searchOf({ trialsPath, ...other }))).rejects.toMatchObject({
      code: "run_damaged",
    });
  }
  await writeFile(trialsPath, (await readFile(trialsPath)).subarray(0, 50));
  await expect(successiveHalving(searchOf({ trialsPath }))).rejects.toMatchObject({ code: "run_damaged" });
});

test("candidates that diverge are out; all of them, or another error, end the search", async () => {
  const diverged = new MedleyError("training_diverged", "the loss is NaN");
  const some = searchOf({ evaluate: async (quality) => (quality > 5 ? Promise.reject(diverged) : quality) });
  const { best, trials } = await successiveHalving(some);
  expect(best?.candidate).toBe(5);
  expect(trials.filter(({ score }) => score === null)).toHaveLength(16);
  const nan = await successiveHalving(
    searchOf({ evaluate: async (quality) => (quality > 5 ? Number.NaN : quality) }),
  );
  expect(nan.best?.candidate).toBe(5);
  await expect(
    successiveHalving(searchOf({ evaluate: () => Promise.reject(diverged) })),
  ).rejects.toMatchObject({
    code: "training_diverged",
  });
  const bug = searchOf({ evaluate: () => Promise.reject(new TypeError("a bug")) });
  await expect(successiveHalving(bug)).rejects.toThrow("a bug");
});

test("of real trainings it finds a learning rate that learns", async () => {
  const [train, held] = [rowsOf(80, 1), rowsOf(40, 2)];
  const candidates = sampleCandidates(
    { learningRate: logUniform(1e-6, 10) },
    { count: 18, random: new Random(4) },
  );
  const { best, trials } = await successiveHalving({
    ...{ candidates, budgetMin: 1, budgetMax: 9, seed: 1 },
    evaluate: async ({ learningRate }, { budget, seed }) => {
      const step = new LeastSquares();
      const schedule = constantRate(learningRate);
      await fitEpochs({
        step,
        batches: batchesOf(train),
        stepsPerEpoch: 10,
        epochsMax: budget,
        schedule,
        seed,
      });
      return -step.error(held);
    },
  });
  expect(trials.some(({ score }) => score === null || score < -1)).toBe(true);
  expect(best?.score).toBeGreaterThan(-0.02);
  expect(best?.candidate.learningRate).toBeGreaterThan(1e-3);
  expect(best?.candidate.learningRate).toBeLessThan(0.3);
});
