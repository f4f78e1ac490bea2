import { type Collection, checkConfig } from "@medley/core";
import type { TrainingRecord } from "@medley/training";
import { expect, test } from "vitest";
import { assignCollection } from "./assign-collection.ts";
import type { Measured } from "./assignment-folder.ts";
import { recordsOf, rows, shop, shopOptions, silent } from "./shop.fixture.ts";

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

test("a collection without a task is refused with the mend", async () => {
  const given = await shopOptions({ collection: { ...shop(), tasks: [] } });
  await expect(assignCollection(given)).rejects.toMatchObject({
    code: "usage",
    mend: expect.stringContaining("tasks:"),
  });
});

test("walks know the graph whole, words only what the training records say", async () => {
  const [collection] = checkConfig({
    collections: {
      letters: {
        fields: { text: "text", sender: "edges", kind: "category" },
        spaces: {
          from: {
            candidates: [
              { encoder: "words", field: "text", dimensions: 16 },
              { encoder: "node2vec", field: "sender", dimensions: 16 },
            ],
          },
        },
        tasks: { kind: { kind: "classification", label: "kind" } },
      },
    },
  });
  // Two letters of each sender, which say the same: either both or neither is held out.
  const letters = Array.from({ length: 400 }, (_, n): TrainingRecord => {
    const sender = `sender${Math.floor(n / 2)}`;
    return { id: `l${n}`, fields: { text: sender, sender: { [sender]: 1 }, kind: `kind ${n % 4}` } };
  });
  const { candidates, folder, sample } = await assignCollection(
    await shopOptions({ collection: collection as Collection, records: recordsOf(letters) }),
  );
  const placed = candidates.map(async ({ key }) => {
    const { table } = (await folder.measured(key)) as Measured;
    const { values, dimensions } = table;
    const rows = letters.map((_, row) => values.subarray(row * dimensions, (row + 1) * dimensions));
    return rows.filter((row) => row.some((value) => value !== 0)).length;
  });
  expect(await Promise.all(placed)).toEqual([sample.split.train.length, 400]);
});
