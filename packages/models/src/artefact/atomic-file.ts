import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { MedleyError } from "@medley/core";

/**
 * Puts a whole file in its place in one go, and makes its folder where there is none: whoever reads it sees the old one or the new one,
 * also after a crash. Of two that write one path at once the later one counts. Throws `data_not_writable`.
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await using handle = await open(temporary, "w");
    await handle.writeFile(content);
    await handle.sync();
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {}); // What it failed of is what counts.
    throw new MedleyError("data_not_writable", `${path} can't be written: ${(cause as Error).message}`, {
      mend: "make its folder writable, and see that the disk is not full",
      cause,
    });
  }
}
