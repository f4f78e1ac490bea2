import { readLock } from "@medley/models";
import { expect, test } from "vitest";
import { withAssigned } from "../config/assigned-collection.ts";
import { assignCollection } from "./assign-collection.ts";
import { classWeightsOf, plansOf, wasAssigned, weightsOf, writeDecisions } from "./decisions.ts";
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

test("of several tasks each is a class of searches, where its weights are better than equal ones", async () => {
  const [kind] = shop().tasks;
  const shelf = { name: "shelf", kind: "classification", label: "shelf", without: ["kind"] } as const;
  const collection = { ...shop(), tasks: [kind as NonNullable<typeof kind>, shelf] };
  const options = await shopOptions({ collection });
  const assignment = await assignCollection(options);
  expect(weightsOf(assignment, options.lock)).toBeNull();
  const classes = classWeightsOf(assignment, options.lock);
  // Nothing tells the shelf but the shelf.
  expect(classes.shelf).toEqual({});
  expect(classes.kind?.place).toBeGreaterThan(2);
  await writeDecisions(options.lock.file as string, assignment, { lock: options.lock, nowMs: 0 });
  const lock = await readLock(options.lock.file as string);
  expect(lock.assigned.classes.shop?.kind).toMatchObject({
    weights: classes.kind,
    evidence: { isUsed: true },
  });
  const served = withAssigned({ ...shop(), tasks: collection.tasks }, lock);
  expect(served.classes).toEqual(classes);
  expect(served.weights.place).toBe(1);
  // Searches may go on naming it where the configuration weighs the spaces itself.
  expect(withAssigned(shop({ weight: 2 }), lock).classes).toEqual({ kind: {}, shelf: {} });
});
