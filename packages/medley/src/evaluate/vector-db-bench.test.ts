import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ListFile } from "./list-file.ts";
import { readVectorDbBench } from "./vector-db-bench.ts";

type Row = readonly [id: number, list: readonly number[]];

async function folderOf({
  test,
  neighbours,
}: {
  test: readonly Row[];
  neighbours: readonly Row[];
}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "medley-vectordbbench-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const write = async (
    name: string,
    form: ConstructorParameters<typeof ListFile>[1],
    rows: readonly Row[],
  ) => {
    const file = new ListFile(join(folder, `${name}.parquet`), form);
    for (const [id, list] of rows) await file.write({ id, list });
    await file.close();
  };
  await write("test", { column: "emb", element: "FLOAT" }, test);
  await write("neighbors", { column: "neighbors_id", element: "INT64" }, neighbours);
  return folder;
}

test("vectors are said to the space; their first k neighbours are relevant", async () => {
  const folder = await folderOf({
    test: [
      [0, [1, 0.5]],
      [1, [0, 1]],
      [2, [1, 1]],
    ],
    // In another order, as pandas may leave them; one query has none.
    neighbours: [
      [1, [5, 4, 3]],
      [0, [0, 7, 9]],
    ],
  });
  expect(await readVectorDbBench(folder, { space: "face", k: 2 })).toEqual([
    {
      id: "test-0",
      text: null,
      parts: { face: [1, 0.5] },
      class: null,
      grades: new Map([
        ["0", 1],
        ["7", 1],
      ]),
    },
    {
      id: "test-1",
      text: null,
      parts: { face: [0, 1] },
      class: null,
      grades: new Map([
        ["5", 1],
        ["4", 1],
      ]),
    },
  ]);
});

test("a folder whose files do not belong together, or that lacks one, is refused", async () => {
  const strangers = await folderOf({ test: [[0, [1]]], neighbours: [[9, [1]]] });
  await expect(readVectorDbBench(strangers, { space: "face", k: 2 })).rejects.toMatchObject({
    code: "usage",
  });
  const nowhere = join(strangers, "nowhere");
  await expect(readVectorDbBench(nowhere, { space: "face", k: 2 })).rejects.toMatchObject({
    code: "source_unreadable",
  });
});

test("files of more rows than a group are read whole", async () => {
  const test = Array.from({ length: 2_001 }, (_, n): Row => [n, [n, 0.5]]);
  const folder = await folderOf({ test, neighbours: test.map(([id]): Row => [id, [id + 1]]) });
  const queries = await readVectorDbBench(folder, { space: "face", k: 1 });
  expect(queries.map(({ parts }) => parts.face)).toEqual(test.map(([, list]) => list));
  expect(queries.at(-1)?.grades).toEqual(new Map([["2001", 1]]));
});
