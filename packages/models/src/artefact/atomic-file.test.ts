import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { writeFileAtomic } from "./atomic-file.ts";

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "medley-file-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

test("whoever reads while it is written sees a whole file, the old one or the new one", async () => {
  const path = join(await temporaryFolder(), "in", "a", "folder", "file");
  const contents = ["a", "b"].map((letter) => letter.repeat(1_000_000));
  await writeFileAtomic(path, contents[0] as string);
  let isWriting = true;
  const writing = (async () => {
    for (let write = 1; write <= 30; write += 1) await writeFileAtomic(path, contents[write % 2] as string);
    isWriting = false;
  })();
  const seen = new Set<string>();
  while (isWriting) {
    const content = await readFile(path, "utf8");
    seen.add(`${content[0]} ${content.length} ${content === contents[0] || content === contents[1]}`);
  }
  await writing;
  expect([...seen].sort()).toEqual(["a 1000000 true", "b 1000000 true"]);
});

test("of two that write at once one counts, whole, and neither fails", async () => {
  const folder = await temporaryFolder();
  const contents = ["a", "b", "c"].map((letter) => letter.repeat(100_000));
  await Promise.all(contents.map((content) => writeFileAtomic(join(folder, "file"), content)));
  expect(contents).toContain(await readFile(join(folder, "file"), "utf8"));
  expect(await readdir(folder)).toEqual(["file"]);
});

test("what can't be written is an error that says where, and leaves nothing behind", async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "file"), "");
  await expect(writeFileAtomic(join(folder, "file", "inside"), "x")).rejects.toMatchObject({
    code: "data_not_writable",
    message: expect.stringContaining(join(folder, "file", "inside")),
  });
  // A folder can't be replaced by a file: the write succeeds, the rename does not.
  await writeFileAtomic(join(folder, "full", "file"), "x");
  await expect(writeFileAtomic(join(folder, "full"), "x")).rejects.toMatchObject({
    code: "data_not_writable",
  });
  expect((await readdir(folder)).sort()).toEqual(["file", "full"]);
});
