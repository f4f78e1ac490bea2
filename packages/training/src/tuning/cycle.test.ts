import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { type CycleOptions, type CycleState, cycleTransitions, runCycle } from "./cycle.ts";

/** A model is the share of 400 rows that it is right on; the same rows are hard for all. */
function cycleOf(shares: readonly number[], rest: Partial<CycleOptions<number>> = {}) {
  const calls: string[] = [];
  const random = new Random(1);
  const hardness = Float64Array.from({ length: 400 }, () => random.uniform());
  const options: CycleOptions<number> = {
    train: async (round, best) => {
      calls.push(`train ${round} after ${best}`);
      return shares[round] as number;
    },
    validate: async (share) => Float64Array.from(hardness, (hard) => (hard < share ? 1 : 0)),
    test: async (share) => {
      calls.push(`test ${share}`);
      return { "test/accuracy": share };
    },
    ...{ roundsMax: 10, seed: 1 },
    ...rest,
  };
  return { options, calls };
}

test("rounds follow while they gain; then the best, not the last, is tested once", async () => {
  const { options, calls } = cycleOf([0.6, 0.7, 0.8, 0.8025, 0.95]);
  const { best, rounds, endedBy, test: tested } = await runCycle(options);
  expect(calls).toEqual([
    "train 0 after null",
    "train 1 after 0.6",
    "train 2 after 0.7",
    "train 3 after 0.8",
    "test 0.8",
  ]);
  expect({ best, endedBy, tested }).toEqual({
    best: { model: 0.8, round: 2 },
    endedBy: "plateau",
    tested: { "test/accuracy": 0.8 },
  });
  expect(rounds.map(({ gain }) => gain?.isGain)).toEqual([undefined, true, true, false]);
  expect(rounds[1]?.gain?.difference).toBeCloseTo(
    (rounds[1]?.meanScore ?? 0) - (rounds[0]?.meanScore ?? 0),
    12,
  );
});

test("a model that got worse ends it as well", async () => {
  const { best, endedBy } = await runCycle(cycleOf([0.7, 0.5]).options);
  expect({ best, endedBy }).toEqual({ best: { model: 0.7, round: 0 }, endedBy: "plateau" });
});

test("rounds have a bound", async () => {
  const { options, calls } = cycleOf([0.5, 0.6, 0.7, 0.8], { roundsMax: 3 });
  expect(await runCycle(options)).toMatchObject({ best: { model: 0.7, round: 2 }, endedBy: "rounds" });
  expect(calls.at(-1)).toBe("test 0.7");
  expect(await runCycle(cycleOf([0.5], { roundsMax: 1 }).options)).toMatchObject({
    best: { model: 0.5 },
    endedBy: "rounds",
  });
});

test.for([
  ["in the first training", 0, null],
  ["in a later one", 2, { model: 0.6, round: 1 }],
] as const)("the signal %s: the best that was, untested", async ([, at, best]) => {
  const ended = new AbortController();
  const { options, calls } = cycleOf([0.5, 0.6, 0.7]);
  const train: typeof options.train = async (round, before, signal) => {
    if (round === at) {
      ended.abort();
      if (best === null) signal?.throwIfAborted();
    }
    return options.train(round, before, signal);
  };
  const result = await runCycle({ ...options, train, signal: ended.signal });
  expect(result).toMatchObject({ best, endedBy: "signal", test: null });
  expect(calls.some((call) => call.startsWith("test"))).toBe(false);
});

test("what a step throws is the cycle's error", async () => {
  const { options } = cycleOf([0.5], { test: () => Promise.reject(new Error("no held-out rows")) });
  await expect(runCycle({ ...options, roundsMax: 1 })).rejects.toThrow("no held-out rows");
});

test("every state can end, and nothing follows the test but the end", () => {
  const after = (state: CycleState) => Object.values(cycleTransitions[state]).filter((next) => next !== null);
  expect(new Set(after("testing"))).toEqual(new Set(["ended"]));
  expect(after("ended")).toEqual([]);
  for (const state of ["training", "validating", "testing"] as const) expect(after(state)).toContain("ended");
});
