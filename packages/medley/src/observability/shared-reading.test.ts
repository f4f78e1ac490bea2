import { expect, test } from "vitest";
import { SharedReading } from "./shared-reading.ts";

test("those who ask at the same time share one reading; the next one is anew", async () => {
  let reads = 0;
  const reading = new SharedReading(async () => ++reads, { waitMsMax: 1_000 });
  expect(await Promise.all([reading.get(), reading.get()])).toEqual([1, 1]);
  expect(await reading.get()).toBe(2);
});

test("one that never ends is waited for briefly, and not begun again", async () => {
  let reads = 0;
  const reading = new SharedReading(
    () => {
      reads += 1;
      return new Promise<number>(() => {});
    },
    { waitMsMax: 5 },
  );
  expect([await reading.get(), await reading.get(), reads]).toEqual([null, null, 1]);
});

test("one that fails is null, and tried again the next time", async () => {
  let reads = 0;
  const reading = new SharedReading(
    async () => {
      reads += 1;
      if (reads === 1) throw new Error("away");
      return reads;
    },
    { waitMsMax: 1_000 },
  );
  expect([await reading.get(), await reading.get()]).toEqual([null, 2]);
});
