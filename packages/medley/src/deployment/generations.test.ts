import { emptyLock } from "@medley/models";
import { expect, test } from "vitest";
import { Generations } from "./generations.ts";

test("who asks while a look is in hand is shown what is there after asking, and all of them at once", async () => {
  const reads: (() => void)[] = [];
  const store = {
    readGenerations: () => new Promise((resolve) => reads.push(() => resolve([]))),
  };
  const generations = new Generations({
    ...{ store: store as never, pool: null as never, live: new Map(), lock: emptyLock, encodes: false },
    openEncoders: () => Promise.reject(new Error("there is nothing to open")),
  });
  const inHand = generations.look();
  await expect.poll(() => reads.length).toBe(1);
  let isShown = false;
  const later = [generations.look(), generations.look()];
  void Promise.all(later).then(() => {
    isShown = true;
  });
  reads[0]?.();
  await inHand;
  await expect.poll(() => reads.length).toBe(2);
  expect(isShown, "what was read before does not do").toBe(false);
  reads[1]?.();
  await Promise.all(later);
  expect(reads).toHaveLength(2);
});
