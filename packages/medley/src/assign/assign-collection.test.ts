import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Collection, checkConfig, reduce, type SpaceDefinition, spaceOf } from "@medley/core";
import type { TrainingRecord } from "@medley/training";
import { expect, test } from "vitest";
import { assignCollection } from "./assign-collection.ts";
import type { Measured } from "./assignment-folder.ts";
import { type Candidate, candidatesOf, takesPart } from "./candidates.ts";
import { MemoryBudget } from "./memory-budget.ts";
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
  const { readTable, cost } = (await folder.measured(reduced?.key as string)) ?? {};
  expect(readTable?.().dimensions).toBe(2);
  expect(cost).toMatchObject({ bytesPerRecord: 4, trainingSeconds: expect.any(Number) });
  expect(cost?.modelBytes).toBeGreaterThan(0);
});

test("what does not fit in the memory is left out with what it would take, and the rest is measured", async () => {
  const given = await shopOptions({});
  const vast = { encoder: "words", field: "note", dimensions: 2_000 } as unknown as SpaceDefinition;
  const spaces = [...given.collection.spaces, spaceOf("note", vast, [])];
  const noted = rows.map((row, n) => {
    const note = Array.from({ length: 200 }, (_, word) => `word${n * 200 + word}`).join(" ");
    return { ...row, fields: { ...row.fields, note } };
  });
  const collection = { ...given.collection, spaces };
  const bounded = { ...given, collection, records: recordsOf(noted), memoryBytesMax: 400 * 2 ** 20 };
  const { candidates, measured, skipped, isComplete, choices } = await assignCollection(bounded);
  expect({ candidates: candidates.length, measured, isComplete }).toEqual({
    ...{ candidates: 8, measured: 7, isComplete: true },
  });
  expect(skipped).toMatchObject([{ candidate: { space: "note" }, reason: "memory" }]);
  expect(skipped[0]?.bytes).toBeGreaterThan(400 * 2 ** 20);
  expect(choices).toContainEqual({ space: "place", candidate: "category of colour", verdict: "best" });
  await expect(assignCollection({ ...bounded, memoryBytesMax: 100 * 2 ** 20 })).rejects.toMatchObject({
    code: "usage",
    mend: "give more with --memory",
  });
});

test("fewer records are drawn where comparing more would take too much memory", async () => {
  const bounded = await shopOptions({ memoryBytesMax: 261e6 });
  const { recordsAsked, recordsMax, sample } = await assignCollection(bounded);
  const { train, validation, test: held } = sample.split;
  expect(recordsAsked).toBe(1_000);
  expect(recordsMax).toBeLessThan(400);
  expect(train.length + validation.length + held.length).toBe(recordsMax);
});

test("as many threads are used as fit beside what a candidate takes", async () => {
  const { collection, environment, lock, records } = await shopOptions({});
  const candidates = candidatesOf(collection, lock);
  const [first] = candidates as [Candidate];
  const sampled = { records: await Array.fromAsync(records.read()), train: 200, queries: 0 };
  const threads = async (bytesMax: number | null) => {
    const budget = await MemoryBudget.of(bytesMax, candidates, { collection, environment, lock });
    return budget.threadsOf(first, sampled, 8);
  };
  expect(await threads(null)).toBe(8);
  expect(await threads(400e6)).toBe(2);
  expect(await threads(480e6)).toBe(3);
  expect(await threads(4e9)).toBe(8);
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
    const { readTable } = (await folder.measured(key)) as Measured;
    const { values, dimensions } = readTable();
    const rows = letters.map((_, row) => values.subarray(row * dimensions, (row + 1) * dimensions));
    return rows.filter((row) => row.some((value) => value !== 0)).length;
  });
  expect(await Promise.all(placed)).toEqual([sample.split.train.length, 400]);
});

test("what neighbours say is measured as it serves: after what it is made of, and of neighbours among all records", async () => {
  const graph = { encoder: "graphsage", field: "likes", features: ["colour"], dimensions: 8 };
  const colours = Array.from({ length: 6 }, (_, n) => `colour ${n}`);
  const [collection] = checkConfig({
    collections: {
      pairs: {
        fields: { colour: "category", likes: "edges", kind: "category" },
        spaces: {
          around: {
            candidates: [
              { encoder: "node2vec", field: "likes", dimensions: 8 },
              { ...graph, target: "kind" },
              graph,
            ],
          },
          colour: { encoder: "category", field: "colour", values: colours },
        },
        tasks: { kind: { kind: "classification", label: "kind" } },
      },
    },
  });
  // Two by two they like each other, and each is of the kind that the other's colour tells.
  const liking = Array.from({ length: 400 }, (_, n): TrainingRecord => {
    const other = n ^ 1;
    const colourOf = (of: number) => colours[(of * 7 + Math.floor(of / 5)) % 6] as string;
    const fields = { colour: colourOf(n), likes: { [`p${other}`]: 1 }, kind: colourOf(other) };
    return { id: `p${n}`, fields };
  });
  const options = await shopOptions({ collection: collection as Collection, records: recordsOf(liking) });
  const { candidates, tasks, choices } = await assignCollection(options);
  expect(candidates.map(({ space, trainedOn, reads }) => [space, trainedOn, reads])).toEqual([
    ["colour", "training records", []],
    ["around", "all records", []],
    ["around", "training records", [candidates[0]?.key]],
    ["around", "all records", [candidates[0]?.key]],
  ]);
  expect(choices).toContainEqual({
    space: "around",
    candidate: "graphsage, dimensions 8, features colour, target kind",
    verdict: expect.stringMatching(/best|cheapest/),
  });
  const around = tasks[0]?.spaces.find(({ space }) => space === "around");
  expect(around?.decision.test.isConfirmed).toBe(true);
  const other = { ...collection?.spaces[1]?.definition, values: [...colours, "none"] } as SpaceDefinition;
  const renamed = {
    ...(collection as Collection),
    spaces: [collection?.spaces[0], spaceOf("colour", other, [])],
  };
  const keys = candidatesOf(renamed as Collection, options.lock).map(({ key }) => key);
  expect(keys.map((key, at) => key === candidates[at]?.key)).toEqual([false, true, false, false]);
  // Of colours nothing may tell that is made of them.
  const taking = (label: string, ...without: string[]) => {
    const task = { name: "t", kind: "classification", label, without } as const;
    return candidates.map((one) => takesPart(one, task, []));
  };
  expect(taking("kind")).toEqual([true, true, true, true]);
  expect(taking("colour")).toEqual([false, true, false, false]);
  expect(taking("kind", "colour")).toEqual([false, true, false, false]);
});

test("queries that are judged choose the field they ask about; records that are relevant are never left out", async () => {
  const about = (field: string) => ({ encoder: "words", field, dimensions: 24 });
  const [collection] = checkConfig({
    collections: {
      letters: {
        fields: { text: "text", shelf: "text", seen: "number" },
        spaces: {
          said: { candidates: [about("shelf"), about("text")] },
          seen: { encoder: "number", field: "seen", range: [0, 400] },
        },
        tasks: { search: { kind: "retrieval", judgements: "./judged" } },
      },
    },
  });
  const letters = Array.from({ length: 400 }, (_, n): TrainingRecord => {
    const text = `topic${n % 25} note${n % 7}`;
    return { id: `l${n}`, fields: { text, shelf: `shelf${n % 9}`, seen: n } };
  });
  const options = await shopOptions({
    ...{ collection: collection as Collection, records: recordsOf(letters), recordsMax: 300 },
  });
  const folder = join(dirname(options.lock.file as string), "judged");
  await mkdir(join(folder, "qrels"), { recursive: true });
  const queries = Array.from({ length: 50 }, (_, n) => ({ _id: `q${n}`, text: `topic${n % 25}` }));
  await writeFile(
    join(folder, "queries.jsonl"),
    queries.map((query) => `${JSON.stringify(query)}\n`).join(""),
  );
  const judged = queries.flatMap(({ _id }, n) =>
    [0, 1].map((more) => `${_id}\tl${(n % 25) + 25 * more}\t1\n`),
  );
  await writeFile(join(folder, "qrels/test.tsv"), `query-id\tcorpus-id\tscore\n${judged.join("")}`);

  const { tasks, choices, sample } = await assignCollection(options);
  // No query speaks of the number.
  expect(tasks[0]?.spaces.map(({ space }) => space)).toEqual(["said"]);
  expect(choices).toEqual([{ space: "said", candidate: "words of text, dimensions 24", verdict: "best" }]);
  expect(tasks[0]).toMatchObject({ kind: "retrieval", rows: { train: 300, validation: 25, test: 25 } });
  expect(tasks[0]?.spaces[0]?.decision.test.isConfirmed).toBe(true);
  expect(sample.recordsRead).toBe(400);
  await expect(assignCollection({ ...options, recordsMax: 50 })).rejects.toMatchObject({
    code: "usage",
    message: "50 records are judged, of 50 that are drawn",
  });
});

test("pairs choose what brings their records together; a line that is none is named", async () => {
  const collection = {
    ...shop({ without: [] }),
    tasks: [{ name: "clicks", kind: "pairs", pairs: "./clicks.jsonl", without: [...silent, "kind"] }],
  } as const;
  const options = await shopOptions({ collection });
  const file = join(dirname(options.lock.file as string), "clicks.jsonl");
  const clicked = rows.slice(0, 120).map(({ id, fields }, at) => {
    const others = rows.filter((row) => row.id !== id && row.fields.colour === fields.colour);
    return { id, other: others[at % others.length]?.id };
  });
  const lines = clicked.map((pair) => JSON.stringify(pair));
  await writeFile(file, lines.join("\n"));
  const { tasks, choices } = await assignCollection(options);
  expect(tasks).toMatchObject([{ kind: "pairs", rows: { train: 400, validation: 60, test: 60 } }]);
  expect(choices).toEqual([{ space: "place", candidate: "category of colour", verdict: "best" }]);
  await writeFile(file, [...lines, '{"id": "r1", "other": 7}'].join("\n"));
  await expect(assignCollection(options)).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining("121 is no pair"),
    mend: expect.stringContaining('{"id": "a", "other": "b"}'),
  });
});
