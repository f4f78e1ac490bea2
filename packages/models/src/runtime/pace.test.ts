import { expect, test } from "vitest";
import { Pace } from "./pace.ts";

test("a job may take five times the slowest of late, scaled to its size, and half a second", () => {
  const pace = new Pace({ firstMsMax: 60_000 });
  expect(pace.hangMs("run", 100)).toBe(60_000);
  pace.observe("run", 100, 50);
  expect(pace.hangMs("run", 10)).toBe(500 + 5 * 50);
  expect(pace.hangMs("run", 400)).toBe(500 + 5 * 200);
  pace.observe("run", 10, 8); // Slower for its size.
  expect(pace.hangMs("run", 100)).toBe(500 + 5 * 80);
  expect(pace.hangMs("prepare", 1)).toBe(60_000);
  pace.forget("r");
  expect(pace.hangMs("run", 100)).toBe(60_000);
});

test("what was slow once is forgotten", () => {
  const pace = new Pace({ firstMsMax: 60_000 });
  pace.observe("run", 1, 10_000);
  for (let i = 0; i < 500; i++) pace.observe("run", 1, 10);
  expect(pace.hangMs("run", 1)).toBeLessThan(700);
});

test("after a hang there is more patience, up to four times, until a job is done", () => {
  const pace = new Pace({ firstMsMax: 60_000 });
  pace.observe("run", 1, 100);
  const asked = [1, 2, 4, 4].map((factor) => {
    const hangMs = pace.hangMs("run", 1);
    pace.hung("run");
    return hangMs === 500 + factor * 500;
  });
  expect(asked).toEqual([true, true, true, true]);
  pace.observe("run", 1, 100);
  expect(pace.hangMs("run", 1)).toBe(1_000);
});
