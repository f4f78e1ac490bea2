import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Context } from "./context.ts";
import { useArtefact } from "./models-use.ts";
import { trainCommand } from "./train.ts";

/** A folder with records, in which `papers.words` is trained as it is configured. */
async function trainedOnce(): Promise<{
  context: Context;
  run: string;
  configure: (space: object) => Promise<void>;
}> {
  const directory = await mkdtemp(join(tmpdir(), "medley-use-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const context: Context = { directory, environment: {}, signal: new AbortController().signal, global: {} };
  const configure = (space: object) => {
    const papers = {
      fields: { abstract: "text", year: "number", topic: "category" },
      spaces: { words: space },
    };
    return writeFile(join(directory, "medley.config.json"), JSON.stringify({ collections: { papers } }));
  };
  const topics = ["plasma in a strong field", "walks on large networks", "cells and their walls"];
  const lines = Array.from({ length: 30 }, (_, n) =>
    JSON.stringify({ id: `p${n}`, abstract: `${topics[n % 3]} ${n % 7}` }),
  );
  await writeFile(join(directory, "papers.jsonl"), lines.join("\n"));
  await configure(words);
  const given = {
    from: join(directory, "papers.jsonl"),
    seed: 1,
    set: [],
    threads: 1,
    device: "cpu",
  } as const;
  const { data } = await trainCommand(context, "papers.words", given);
  return { context, run: (data as { run: string }).run, configure };
}

const words = { encoder: "words", field: "abstract", dimensions: 4 };

test.for([
  ["other dimensions", { ...words, dimensions: 3 }, "words with 3 dimensions", "words with 4"],
  [
    "another kind",
    { encoder: "text", field: "abstract", reduced: { to: 4, by: "pca" } },
    "pca with 4",
    "is words",
  ],
  [
    "a tuned model",
    { encoder: "text", field: "abstract", tuned: { target: "topic" } },
    "as text",
    "is words",
  ],
  ["no artefact", { encoder: "number", field: "year", range: [0, 9] }, "needs no artefact", "is words"],
] as const)("an artefact is not pinned for a space that has become %s", async ([, space, ...said]) => {
  const { context, run, configure } = await trainedOnce();
  const lock = join(context.directory, "medley.lock.json");
  const before = await readFile(lock, "utf8");
  await configure(space);
  const using = useArtefact(context, "papers.words", run);
  await expect(using).rejects.toMatchObject({
    code: "config_invalid",
    mend: expect.stringContaining("another run"),
  });
  for (const part of said) await expect(using).rejects.toThrow(part);
  expect(await readFile(lock, "utf8")).toBe(before);
});

test("an artefact of the space as it is configured is pinned", async () => {
  const { context, run } = await trainedOnce();
  await rm(join(context.directory, "medley.lock.json"));
  expect(await useArtefact(context, "papers.words", run)).toMatchObject({ exitCode: 0, data: { run } });
});
