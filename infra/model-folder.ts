import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Writes a file of a model's folder, with the folders on its way. */
export async function put(directory: string, name: string, bytes: Uint8Array): Promise<void> {
  const path = join(directory, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

/** What `manifest.json` says of each file. */
export async function manifestFiles(
  directory: string,
  names: readonly string[],
): Promise<Record<string, { bytes: number; sha256: string }>> {
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const name of names) {
    const bytes = await readFile(join(directory, name));
    files[name] = { bytes: bytes.length, sha256: sha256(bytes) };
  }
  return files;
}
