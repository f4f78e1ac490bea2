import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export interface Film {
  readonly id: string;
  readonly title: string;
  readonly year: number;
  readonly genres: readonly string[];
  readonly cast: readonly string[];
  readonly plot: string;
}

/** Films of the example, spread over the file, in its order. */
export function films(count: number): Film[] {
  const path = new URL("../../examples/films/films.jsonl.gz", import.meta.url);
  const lines = gunzipSync(readFileSync(path)).toString("utf8").trimEnd().split("\n");
  const step = Math.max(1, Math.floor(lines.length / count));
  const picked = lines.filter((_, index) => index % step === 0).slice(0, count);
  return picked.map((line) => JSON.parse(line) as Film);
}
