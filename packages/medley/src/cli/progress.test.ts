import { expect, test } from "vitest";
import { duration, progressLine } from "./progress.ts";

test.for([
  [
    { done: 1200, total: 2500 },
    { seconds: 10, firstDone: 0 },
    "films  [############------------]  1,200/2,500  120 records/s  11 s left",
  ],
  [
    { done: 1200, total: 2500 },
    { seconds: 10, firstDone: 1000 },
    "films  [############------------]  1,200/2,500  20 records/s  1 min 5 s left",
  ],
  [{ done: 42, total: null }, { seconds: 10, firstDone: 0 }, "films  42  4.2 records/s"],
  [
    { done: 0, total: 10 },
    { seconds: 0, firstDone: 0 },
    "films  [------------------------]  0/10  0.0 records/s",
  ],
  [
    { done: 22_600_000, total: 90_400_000 },
    { seconds: 10, firstDone: 2_600_000, unit: "bytes" },
    "films  [######------------------]  22.6/90.4 MB  2.0 MB/s  34 s left",
  ],
  [{ done: 500_000, total: null }, { seconds: 10, firstDone: 0, unit: "bytes" }, "films  0.5 MB  0.1 MB/s"],
] as const)("progress %j after %j", ([state, since, expected]) => {
  expect(progressLine("films", state, since)).toBe(expected);
});

test.for([
  [0.2, "1 s"],
  [61, "1 min 1 s"],
  [7260, "2 h 1 min"],
] as const)("%s seconds read as %s", ([seconds, text]) => {
  expect(duration(seconds)).toBe(text);
});
