import { expect, test } from "vitest";
import {
  constantRate,
  cosineRate,
  halvedEachEpoch,
  linearRate,
  type Schedule,
  withWarmUp,
} from "./schedule.ts";

const ratesOf = (schedule: Schedule, [stepsPerEpoch, epochsMax] = [2, 4]) =>
  Array.from({ length: stepsPerEpoch * epochsMax }, (_, step) =>
    Number(schedule({ step, epoch: Math.floor(step / stepsPerEpoch), stepsPerEpoch, epochsMax }).toFixed(4)),
  );

test.for([
  ["constant", constantRate(0.5), [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]],
  ["halved each epoch", halvedEachEpoch(1), [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]],
  ["cosine", cosineRate(1), [1, 0.9619, 0.8536, 0.6913, 0.5, 0.3087, 0.1464, 0.0381]],
  [
    "cosine to a floor",
    cosineRate(1, { rateMin: 0.5 }),
    [1, 0.981, 0.9268, 0.8457, 0.75, 0.6543, 0.5732, 0.519],
  ],
  ["linear", linearRate(1), [1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]],
  ["warm-up", withWarmUp(4, constantRate(1)), [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]],
  ["no warm-up", withWarmUp(0, linearRate(1)), [1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]],
] as const)("%s", ([, schedule, rates]) => {
  expect(ratesOf(schedule)).toEqual(rates);
});

test("a rate is above 0", () => {
  for (const rate of [0, -1, Number.NaN])
    expect(() => ratesOf(constantRate(rate))).toThrow("a learning rate above 0");
});
