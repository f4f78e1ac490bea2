import { readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { guarded } from "./file-guard.ts";
import { temporaryFolder } from "./model-folder.fixture.ts";

const known = { token: "t", pid: process.pid, host: hostname() };

test("one at a time, and the next one comes also after one that failed", async () => {
  const file = join(await temporaryFolder(), "in", "a", "folder", "file");
  let inside = 0;
  const work = async (isFailing: boolean) => {
    inside += 1;
    expect(inside).toBe(1);
    await sleep(2);
    inside -= 1;
    if (isFailing) throw new Error("failing");
    return "done";
  };
  const settled = await Promise.allSettled(
    [0, 1, 2, 3, 4, 5].map((n) => guarded(file, () => work(n % 2 === 0))),
  );
  expect(settled.map(({ status }) => status)).toEqual([0, 1, 2].flatMap(() => ["rejected", "fulfilled"]));
  for (const one of settled) if (one.status === "rejected") expect(one.reason.message).toBe("failing");
  expect(await readdir(join(file, ".."))).toEqual([]);
});

test("whoever waits too long is told whose it is and what to delete, and takes nothing away", async () => {
  const folder = await temporaryFolder();
  const file = join(folder, "file");
  await guarded(file, async () => {
    await expect(guarded(file, async () => {}, { waitMsMax: 30 })).rejects.toMatchObject({
      code: "lock_busy",
      message: expect.stringContaining(`process ${process.pid}`),
      mend: expect.stringContaining(`delete ${file}.guard`),
    });
    expect(await readdir(folder)).toEqual(["file.guard"]);
  });
});

test.for([
  ["another host's", JSON.stringify({ ...known, host: "elsewhere", startedAt: null })],
  ["half of one", '{"token":'],
])("a guard that can't be looked into counts as held: %s", async ([, content]) => {
  const file = join(await temporaryFolder(), "file");
  await writeFile(`${file}.guard`, content as string);
  await expect(guarded(file, async () => {}, { waitMsMax: 30 })).rejects.toMatchObject({ code: "lock_busy" });
  expect(await readFile(`${file}.guard`, "utf8")).toBe(content);
});

test("the guard of an earlier process of the same number is taken over, also from an heir that was killed", async () => {
  const folder = await temporaryFolder();
  const file = join(folder, "file");
  const dead = { ...known, startedAt: "0" };
  await writeFile(`${file}.guard`, JSON.stringify(dead));
  await writeFile(`${file}.guard.t`, JSON.stringify({ ...dead, token: "heir" }));
  let inside = 0;
  const work = async () => {
    inside += 1;
    expect(inside).toBe(1);
    await sleep(2);
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 8 }, () => guarded(file, work)));
  expect(await readdir(folder)).toEqual([]);
});
