import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const folder = process.env.MEDLEY_SHARED_DATA ?? join(import.meta.dirname, "../../../shared/data");

/** A file of the data sets that don't travel with the project. Throws, saying where it was looked for. */
export function sharedData(path: string): string {
  const full = join(folder, path);
  if (existsSync(full)) return full;
  throw new Error(`there is no ${full}; MEDLEY_SHARED_DATA names the folder of data sets`);
}

/** Of a file of JSON lines, gzipped where its name says so. */
export function readLines<Row>(path: string): Row[] {
  const bytes = readFileSync(sharedData(path));
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
}
