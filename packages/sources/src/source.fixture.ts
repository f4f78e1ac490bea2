import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll } from "vitest";
import { openSource, type SourceItem, type SourceOptions } from "./index.ts";

export let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "medley-sources-"));
});
afterAll(() => rm(folder, { recursive: true }));

export async function fileOf(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

export async function readAll(
  path: string,
  options: SourceOptions & { skip?: number } = {},
): Promise<SourceItem[]> {
  const source = await openSource(path, options);
  return Array.fromAsync(source.records({ skip: options.skip ?? 0 }));
}

export async function read(
  name: string,
  content: string | Uint8Array,
  options: SourceOptions = {},
): Promise<SourceItem[]> {
  return readAll(await fileOf(name, content), options);
}

/** What matters of items, to compare: values of good ones, `source: reason` of bad ones. */
export function brief(items: readonly SourceItem[]): unknown[] {
  return items.map((item) => (item.ok ? item.value : item.reason));
}

export async function* pipe(bytes: Uint8Array, chunkBytes = 7): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += chunkBytes)
    yield Buffer.from(bytes.subarray(at, at + chunkBytes));
}

// Texts as nasty as a field can hold.
export const field = fc.string({
  unit: fc.oneof(
    fc.constantFrom('"', ",", "\n", "\r", "\t", " ", "é", "🎬", "\u2028"),
    fc.string({ minLength: 1, maxLength: 1 }),
  ),
});
