import { realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { MedleyError } from "@medley/core";

const charsMax = 1_024;

/** Whether a path goes down from a folder and means the same on every system: no `..`, no drive, no backslash, no wildcard. */
export function isPlainPath(path: string): boolean {
  if (path.length > charsMax) return false;
  return path
    .split("/")
    .every((part) => /^[^\\:*?"<>|\p{Cc}]+$/u.test(part) && part !== "." && part !== "..");
}

/**
 * Where a file that a model names really is. Throws `model_unsupported` for a path that is not plain, or a link that
 * leads out of `boundary`; whatever `realpath` throws (`ENOENT`) where there is no such file.
 */
export async function pathInside(options: {
  readonly directory: string;
  readonly boundary: string;
  readonly name: string;
}): Promise<string> {
  const { directory, boundary, name } = options;
  if (!isPlainPath(name)) throw escapes(directory, name);
  const path = await realpath(join(directory, name));
  const root = await realpath(boundary);
  if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) throw escapes(directory, name);
  return path;
}

export function escapes(place: string, name: string): MedleyError {
  const shown = JSON.stringify(name.slice(0, 200));
  return new MedleyError(
    "model_unsupported",
    `${place}: the model's file ${shown} is outside of its folder`,
    {
      mend: "use a model whose files are all in its own folder; do not use this one if you don't know who made it",
    },
  );
}
