import { readLock } from "@medley/models";
import { expect, test } from "vitest";
import { withAssigned } from "../config/assigned-collection.ts";
import { assignCollection } from "./assign-collection.ts";
import { plansOf, wasAssigned, weightsOf, writeDecisions } from "./decisions.ts";
import { shop, shopOptions } from "./shop.fixture.ts";

test("choice and learned weights are written with their evidence, and are what a configuration is loaded with", async () => {
  const options = await shopOptions({});
  const lockFile = options.lock.file as string;
  const assignment = await assignCollection(options);
  expect(wasAssigned(options.collection, options.lock)).toBe(false);
  const [plan] = plansOf(assignment);
  expect(plan).toMatchObject({
    current: "category of shelf",
    proposed: { name: "category of colour" },
    changes: true,
  });
  await writeDecisions(lockFile, assignment, { lock: options.lock, nowMs: 0 });
  const lock = await readLock(lockFile);
  expect(lock.assigned.weights.shop?.evidence).toMatchObject({
    date: "1970-01-01T00:00:00.000Z",
    seed: 1,
    data: { count: 400 },
    isUsed: true,
  });
  const served = withAssigned(shop(), lock);
  expect(served.spaces[0]?.definition).toMatchObject({ field: "colour" });
  expect(served.weights.place).toBeGreaterThan(2);
  expect(served.weights.shape).toBeLessThan(1);
  // What takes no part keeps its weight.
  expect(served.weights.kind).toBe(1);
  expect(wasAssigned(served, lock)).toBe(true);
  const again = await assignCollection({ ...options, collection: served, lock });
  expect(plansOf(again)[0]).toMatchObject({ current: "category of colour", changes: false });
  expect(weightsOf(again, lock)).toEqual(lock.assigned.weights.shop?.weights);
});

test("weights that the configuration gives are not replaced", async () => {
  const collection = shop({ weight: 2 });
  const options = await shopOptions({ collection });
  const assignment = await assignCollection(options);
  expect(assignment.tasks[0]?.weights?.isUsed).toBe(true);
  expect(weightsOf(assignment, options.lock)).toBeNull();
});
