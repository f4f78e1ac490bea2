import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type TuningWay, tuneIn } from "./killed-tuning.fixture.ts";

const program = join(import.meta.dirname, "killed-tuning.fixture.ts");

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "medley-tuning-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Ends with SIGKILL, which no handler sees, where `stage` says `done`. */
function kill(directory: string, way: TuningWay, stage: string, done: number): void {
  const { signal, stderr } = spawnSync(process.execPath, [program, directory, way, stage, `${done}`]);
  expect(signal, String(stderr)).toBe("SIGKILL");
}

test("killed while the frozen part runs, and in the second epoch, a tuning comes to the same bytes", {
  timeout: 180_000,
}, async () => {
  const whole = await tuneIn(await folder(), "blocks");
  const directory = await folder();
  kill(directory, "blocks", "frozen part", 1);
  kill(directory, "blocks", "epoch 2", 2);
  await expect(tuneIn(directory, "blocks", { seed: 6 })).rejects.toMatchObject({
    code: "run_damaged",
    message: expect.stringContaining("that of other data or settings"),
  });
  const resumed = await tuneIn(directory, "blocks");
  expect(resumed.stages[0]).toBe("epoch 2");
  expect(resumed.hashes).toEqual(whole.hashes);
});

test("a search that is killed goes on with the next trial", { timeout: 180_000 }, async () => {
  const whole = await tuneIn(await folder(), "search");
  const directory = await folder();
  kill(directory, "search", "search, budget", 2);
  const trials = async () =>
    JSON.parse(await readFile(join(directory, "round-1.trials.json"), "utf8")).trials as object[];
  const before = await trials();
  expect(before).toHaveLength(2);
  const resumed = await tuneIn(directory, "search");
  expect((await trials()).slice(0, 2)).toEqual(before);
  expect(resumed.hashes).toEqual(whole.hashes);
});
