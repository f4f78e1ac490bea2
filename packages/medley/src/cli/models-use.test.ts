import { readFile, rm } from "node:fs/promises";
import { expect, test } from "vitest";
import { useArtefact } from "./models-use.ts";
import { trainCommand } from "./train.ts";
import { type TrainingFolder, trainingFolder } from "./training-folder.fixture.ts";

const words = { encoder: "words", field: "abstract", dimensions: 4 };

/** A folder in which `papers.words` is trained as it is configured. */
async function trainedOnce(): Promise<TrainingFolder & { run: string }> {
  const folder = await trainingFolder({ words });
  const given = { from: folder.records, set: [], threads: 1, device: "cpu" } as const;
  const { data } = await trainCommand(folder.context, "papers.words", given);
  return { ...folder, run: (data as { run: string }).run };
}

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
  const { context, run, configure, lockFile } = await trainedOnce();
  const before = await readFile(lockFile, "utf8");
  await configure({ words: space });
  const using = useArtefact(context, "papers.words", run);
  await expect(using).rejects.toMatchObject({
    code: "config_invalid",
    mend: expect.stringContaining("another run"),
  });
  for (const part of said) await expect(using).rejects.toThrow(part);
  expect(await readFile(lockFile, "utf8")).toBe(before);
});

test("an artefact of the space as it is configured is pinned", async () => {
  const { context, run, lockFile } = await trainedOnce();
  await rm(lockFile);
  expect(await useArtefact(context, "papers.words", run)).toMatchObject({ exitCode: 0, data: { run } });
});
