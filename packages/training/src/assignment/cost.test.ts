import { expect, test } from "vitest";
import { type Cost, compareCosts } from "./cost.ts";

const cost: Cost = { millisecondsPerRecord: 4, bytesPerRecord: 256, modelBytes: 1e6, trainingSeconds: 10 };

test.for<[string, Partial<Cost>, Partial<Cost>, number]>([
  ["time counts before bytes", { millisecondsPerRecord: 20, bytesPerRecord: 2 }, {}, 1],
  ["times within a factor of two do not", { millisecondsPerRecord: 5, bytesPerRecord: 2 }, {}, -1],
  ["nor do those below a millisecond", { millisecondsPerRecord: 0.9 }, { millisecondsPerRecord: 0.01 }, 0],
  ["bytes of a record before those of the model", { bytesPerRecord: 64, modelBytes: 1e9 }, {}, -1],
  ["the model before its training", { modelBytes: 1e9, trainingSeconds: 0 }, {}, 1],
  ["less training at last", { trainingSeconds: 0 }, {}, -1],
])("%s", ([, a, b, sign]) => {
  expect(Math.sign(compareCosts({ ...cost, ...a }, { ...cost, ...b }))).toBe(sign);
});
