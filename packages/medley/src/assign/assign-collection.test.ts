import { reduce, spaceOf } from "@medley/core";
import { expect, test } from "vitest";
import { assignCollection } from "./assign-collection.ts";
import { rows, shop, shopOptions, silent } from "./shop.fixture.ts";

test("what reads the label, or is left out, takes no part; the telling candidate is chosen", async () => {
  const { tasks, choices, sample } = await assignCollection(
    await shopOptions({ collection: shop({ without: silent }) }),
  );
  expect(tasks[0]?.spaces.map(({ space }) => space)).toEqual(["place"]);
  expect(choices).toEqual([{ space: "place", candidate: "category of colour", verdict: "best" }]);
  const { train, validation, test: held } = sample.split;
  expect(new Set([...train, ...validation, ...held]).size).toBe(rows.length);
});

test("one that is ended keeps what is done, judges nothing, and goes on from there", async () => {
  const ending = new AbortController();
  const seen: string[] = [];
  const given = await shopOptions({
    signal: ending.signal,
    onProgress: (candidate) => {
      seen.push(candidate);
      if (candidate.includes("colour")) ending.abort();
    },
  });
  const ended = await assignCollection(given);
  expect(ended).toMatchObject({ measured: 1, tasks: [], choices: [] });
  const again: string[] = [];
  const { measured, tasks } = await assignCollection({
    ...given,
    signal: new AbortController().signal,
    onProgress: (candidate) => again.push(candidate),
  });
  expect(measured).toBe(7);
  expect(tasks).toHaveLength(1);
  expect(seen).toContain("1 of 7, place: category of shelf");
  expect(again).not.toContain("1 of 7, place: category of shelf");
  expect(again).toContain("2 of 7, place: category of colour");
});

test("a candidate with fewer dimensions has its axes fitted to the training records", async () => {
  const given = await shopOptions({});
  const spaces = given.collection.spaces.map((space) => {
    if (space.name !== "shape") return space;
    return spaceOf("shape", space.definition, [
      space.definition,
      reduce(space.definition, { to: 2, by: "pca" }) as typeof space.definition,
    ]);
  });
  const { candidates, measured, folder } = await assignCollection({
    ...given,
    collection: { ...given.collection, spaces },
  });
  expect(measured).toBe(candidates.length);
  const reduced = candidates.find(({ name }) => name === "vector, reduced to 2, reduced by pca");
  const { table, cost } = (await folder.measured(reduced?.key as string)) ?? {};
  expect(table?.dimensions).toBe(2);
  expect(cost).toMatchObject({ bytesPerRecord: 4, trainingSeconds: expect.any(Number) });
  expect(cost?.modelBytes).toBeGreaterThan(0);
});

test("a collection without a task is refused with the mend", async () => {
  const given = await shopOptions({ collection: { ...shop(), tasks: [] } });
  await expect(assignCollection(given)).rejects.toMatchObject({
    code: "usage",
    mend: expect.stringContaining("tasks:"),
  });
});
