import { mkdtemp, readdir, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { RowCache, rowKey } from "./row-cache.ts";

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "medley-cache-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
const options = { of: ["model", "tensor"], element: "float16", bytesMax: 1_000 } as const;
const [first, second] = [rowKey("first"), rowKey("second")];

async function read(cache: RowCache, key: string): Promise<number[]> {
  const out = new Float32Array(cache.valuesOf(key));
  await cache.read(key, out);
  return [...out];
}

test("rows are there again when the file is opened again, and another model's are not", async () => {
  const directory = await folder();
  {
    await using cache = await RowCache.open({ ...options, directory });
    await cache.put(first, Float32Array.of(1, -2.5, 0.125));
    await cache.put(second, Float32Array.of(65_504));
  }
  await using again = await RowCache.open({ ...options, directory });
  expect(await read(again, first)).toEqual([1, -2.5, 0.125]);
  expect(await read(again, second)).toEqual([65_504]);
  await using other = await RowCache.open({ ...options, of: ["model", "other tensor"], directory });
  expect(other.has(first)).toBe(false);
});

test("a row that a killed process left half written is not there, those before it are", async () => {
  const directory = await folder();
  {
    await using cache = await RowCache.open({ ...options, directory });
    await cache.put(first, Float32Array.of(1, 2));
    await cache.put(second, Float32Array.of(3, 4));
  }
  const path = join(directory, (await readdir(directory))[0] as string);
  await truncate(path, (await stat(path)).size - 1);
  await using again = await RowCache.open({ ...options, directory });
  expect(again.has(second)).toBe(false);
  expect(await read(again, first)).toEqual([1, 2]);
  await again.put(second, Float32Array.of(5));
  expect(await read(again, second)).toEqual([5]);
});

test("old rows go where new ones don't fit, and rows that exceed the bound alone are refused", async () => {
  await using cache = await RowCache.open({ ...options, element: "float32", bytesMax: 200 });
  const row = { key: first, values: 30 };
  await cache.reserve([row]);
  await cache.put(first, new Float32Array(30).fill(1));
  await cache.reserve([{ key: first, values: 30 }]);
  expect(cache.has(first)).toBe(true);
  await cache.reserve([{ key: second, values: 30 }]);
  expect(cache.has(first)).toBe(false);
  await expect(cache.reserve([row, { key: second, values: 30 }])).rejects.toMatchObject({
    code: "training_unsupported",
    message: expect.stringContaining("of 2 inputs take 1 MiB"),
  });
});

test("a value that 16 bits can't hold is refused", async () => {
  await using cache = await RowCache.open(options);
  await expect(cache.put(first, Float32Array.of(1e6))).rejects.toMatchObject({
    code: "training_unsupported",
  });
});
