import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteFile } from "hyparquet-writer";
import { expect, onTestFinished, test } from "vitest";
import { readVectorDbBench } from "./vector-db-bench.ts";

type Row = readonly [id: number, values: readonly number[]];

/** As pandas writes them: 64-bit ids, lists of numbers. */
function writeLists(path: string, column: string, element: "FLOAT" | "INT64", rows: readonly Row[]): void {
  parquetWriteFile({
    filename: path,
    schema: [
      { name: "schema", num_children: 2 },
      { name: "id", type: "INT64", repetition_type: "REQUIRED" },
      { name: column, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      { name: "element", type: element, repetition_type: "OPTIONAL" },
    ],
    columnData: [
      { name: "id", data: rows.map(([id]) => BigInt(id)) },
      { name: column, data: rows.map(([, values]) => (element === "INT64" ? values.map(BigInt) : values)) },
    ],
  });
}

function folderOf({ test, neighbours }: { test: readonly Row[]; neighbours: readonly Row[] }): string {
  const folder = mkdtempSync(join(tmpdir(), "medley-vectordbbench-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeLists(join(folder, "test.parquet"), "emb", "FLOAT", test);
  writeLists(join(folder, "neighbors.parquet"), "neighbors_id", "INT64", neighbours);
  return folder;
}

test("vectors are said to the space; their first k neighbours are relevant", async () => {
  const folder = folderOf({
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
      grades: new Map([
        ["0", 1],
        ["7", 1],
      ]),
    },
    {
      id: "test-1",
      text: null,
      parts: { face: [0, 1] },
      grades: new Map([
        ["5", 1],
        ["4", 1],
      ]),
    },
  ]);
});

test("a folder whose files do not belong together, or that lacks one, is refused", async () => {
  const strangers = folderOf({ test: [[0, [1]]], neighbours: [[9, [1]]] });
  await expect(readVectorDbBench(strangers, { space: "face", k: 2 })).rejects.toMatchObject({
    code: "usage",
  });
  const nowhere = join(strangers, "nowhere");
  await expect(readVectorDbBench(nowhere, { space: "face", k: 2 })).rejects.toMatchObject({
    code: "source_unreadable",
  });
});
