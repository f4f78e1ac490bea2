import { pipelineCounters } from "@medley/pipeline";
import { expect, test } from "vitest";
import { RoomEstimate } from "./retry-after.ts";

function estimate(unit: "packets" | "records") {
  const state = { nowMs: 0, waiting: 0, ageMs: null as number | null, asked: 0 };
  const counters = pipelineCounters();
  const lane = {
    unit,
    backlog: async () => {
      state.asked += 1;
      return { waiting: state.waiting, inFlight: 0 };
    },
    oldestAgeMs: async () => state.ageMs,
  };
  const room = new RoomEstimate({ lane, counters, backlogPacketsMax: 100, nowMs: () => state.nowMs });
  const at = (nowMs: number, rest: Partial<typeof state>) => {
    Object.assign(state, { nowMs, ...rest });
    return room.seconds();
  };
  return { state, counters, at };
}

test.for([
  // A hundred packets of which the oldest came 40 s ago leave at 2.5 a second: ten of them in four seconds.
  [{ waiting: 100, ageMs: 40_000 }, 4],
  [{ waiting: 200, ageMs: 40_000 }, 22],
  [{ waiting: 100, ageMs: 1_000 }, 1],
  [{ waiting: 100, ageMs: 0 }, 1],
  // Nobody takes anything.
  [{ waiting: 100, ageMs: 3_600_000 }, 60],
  [{ waiting: 10, ageMs: 3_600_000 }, 1],
] as const)("a queue with %j has room in %i s", async ([state, seconds]) => {
  expect(await estimate("packets").at(0, state)).toBe(seconds);
});

test("a log has room as fast as records left it since the last look, those sent in between included", async () => {
  const { at, counters } = estimate("records");
  expect(await at(0, { waiting: 10_000 })).toBe(5);
  counters.stages.produce.sent += 500;
  // 500 fewer although 500 came: 100 a second have left, and 500 have to go until a tenth is free.
  expect(await at(10_000, { waiting: 9_500 })).toBe(5);
  expect(await at(20_000, { waiting: 9_500 })).toBe(60);
});

test("the lane is asked once a second at most, and one that is away changes nothing", async () => {
  const { state, at } = estimate("packets");
  await Promise.all([at(0, { waiting: 100, ageMs: 40_000 }), at(0, {}), at(999, {})]);
  expect(state.asked).toBe(1);
  Object.defineProperty(state, "waiting", {
    get: () => {
      throw new Error("away");
    },
  });
  expect(await at(1_000, {})).toBe(5);
});
