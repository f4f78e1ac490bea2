import { readFileSync } from "node:fs";

/** What `infra/reference/metrics.py` wrote of one kind: scikit-learn's and SciPy's figures beside the rows they are of. */
export function referenceOf<Case>(kind: string): readonly Case[] {
  const lines = readFileSync(new URL("./reference.jsonl", import.meta.url), "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => JSON.parse(line)).filter((line) => line.of === kind);
}
