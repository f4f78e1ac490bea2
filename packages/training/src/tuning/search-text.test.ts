import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { LabelledExample } from "./labelled-examples.ts";
import { searchText } from "./search-text.ts";
import { classes, sentences } from "./sentences.fixture.ts";
import { tuneTextRecords } from "./tune-text-records.ts";

const base = { model: "all-MiniLM-L6-v2", environment: {}, seed: 5, threads: 1 } as const;

test("a round that gains nothing ends the search; the head of the frozen model is kept, and tested once", {
  timeout: 120_000,
}, async () => {
  const found = await searchText({
    ...{ ...base, classes, target: "about", tokensMax: 24, candidates: 1 },
    ...{ train: sentences(0), validation: sentences(3), test: sentences(7) },
    fixed: { epochs: 1 },
  });
  expect(found.cycle.endedBy).toBe("plateau");
  expect(found.cycle.rounds).toHaveLength(2);
  expect(found.cycle.rounds[1]?.gain?.isGain).toBe(false);
  expect(found.settings).toBeNull();
  expect(found.manifest).toMatchObject({ blocks: 0 });
  expect(found.test?.accuracy).toBeGreaterThan(0.9);
});

test("settings are compared on a ninth of the rows, a third, and all, each class among them", {
  timeout: 120_000,
}, async () => {
  const checkpoints = await mkdtemp(join(tmpdir(), "medley-search-"));
  onTestFinished(() => rm(checkpoints, { recursive: true, force: true }));
  const { texts, labels } = sentences(0);
  // Of the second class one row alone, which a draw of three of thirteen would mostly leave out.
  const train = { texts: texts.slice(0, 13), labels: labels.slice(0, 13) };
  await searchText({
    ...{ ...base, classes, target: "about", tokensMax: 24, candidates: 3, roundsMax: 1, checkpoints },
    ...{ train, validation: sentences(3), fixed: { epochs: 1, batchRows: 4, balances: true } },
  });
  const { trials } = JSON.parse(await readFile(join(checkpoints, "round-1.trials.json"), "utf8")) as {
    trials: { budget: number; score: number }[];
  };
  expect(trials.map(({ budget }) => budget)).toEqual([2, 2, 2, 6, 13]);
  expect(new Set(trials.map(({ score }) => score)).size).toBeGreaterThan(3);
});

test("a search that is ended keeps the best round before, untested", { timeout: 120_000 }, async () => {
  const controller = new AbortController();
  const found = await searchText({
    ...{ ...base, classes, target: "about", tokensMax: 24, candidates: 3, signal: controller.signal },
    ...{ train: sentences(0), validation: sentences(3), test: sentences(7), fixed: { epochs: 1 } },
    onProgress: ({ stage, done }) => stage.startsWith("search") && done === 1 && controller.abort(),
  });
  expect(found.cycle.endedBy).toBe("signal");
  expect(found.settings).toBeNull();
  expect(found.manifest).toMatchObject({ blocks: 0 });
  expect(found.metrics["validation/accuracy"]).toBeGreaterThan(0.7);
  expect(found.test).toBeNull();
});

/** Fifty records with a class, and some without. */
async function* records(count = 50): AsyncGenerator<LabelledExample> {
  const { texts, labels } = sentences(0, count / 2);
  for (const [at, text] of texts.entries())
    yield { id: `r${at}`, value: `${text} ${at}`, label: classes[labels[at] as number] as string };
  for (let at = 0; at < 5; at += 1) yield { id: `u${at}`, value: "something else", label: null };
}

test("records are split by class into those that train, choose and test", { timeout: 120_000 }, async () => {
  const tuned = await tuneTextRecords(records(), { ...base, target: "about", blocks: 0 });
  expect(tuned.split).toEqual({ by: "random", train: 40, validation: 5, test: 5 });
  expect(tuned.test?.hits).toHaveLength(5);
  expect(tuned.test?.accuracy).toBeGreaterThan(0.7);
  expect(tuned.manifest).toMatchObject({ kind: "text", target: "about", blocks: 0 });
});

test("too few records, or a class alone, are refused", { timeout: 120_000 }, async () => {
  const options = { ...base, target: "about", blocks: 0 };
  await expect(tuneTextRecords(records(20), options)).rejects.toMatchObject({
    code: "training_data_invalid",
    message: "about: only 20 rows to train on, at least 40 are needed",
  });
  const oneClass = async function* () {
    for await (const record of records(80)) if (record.label !== "tool") yield record;
  };
  await expect(tuneTextRecords(oneClass(), options)).rejects.toMatchObject({
    code: "training_data_invalid",
  });
});
