import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { runWorkLoop } from "./work-loop.ts";

test("while nothing comes it looks less and less often, and after work as often as before", async () => {
  const looks: number[] = [];
  let waiting = 0;
  const startedMs = performance.now();
  const loop = runWorkLoop({
    step: async () => {
      looks.push(performance.now() - startedMs);
      return waiting-- > 0 ? 1 : 0;
    },
    ...{ idleMs: 20, idleMsMax: 160 },
    onFault: () => {},
  });
  // At 0, 20, 60, 140, 300, 460, 620 ms, or later.
  await sleep(700);
  expect(looks.length).toBeGreaterThanOrEqual(4);
  expect(looks.length).toBeLessThanOrEqual(7);
  waiting = 1;
  const before = looks.length;
  await expect.poll(() => looks.length, { interval: 5 }).toBeGreaterThanOrEqual(before + 4);
  await loop.close({ graceMs: 0 });
  const [worked, next, last] = looks.slice(before + 1) as [number, number, number];
  expect(next - worked).toBeLessThan(100);
  expect(last - next).toBeGreaterThanOrEqual(35);
});
