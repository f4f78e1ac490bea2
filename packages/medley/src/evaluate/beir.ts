import { join } from "node:path";
import { MedleyError } from "@medley/core";
import { openSource, type SourceItem } from "@medley/sources";
import type { Grades } from "./ranking-metrics.ts";

/** A query of a BEIR folder that has judgements. */
export interface JudgedQuery {
  readonly id: string;
  readonly text: string;
  /** What the query says of other spaces: `parts` in its line, an addition to BEIR's format. */
  readonly parts: Readonly<Record<string, unknown>>;
  /** By record id; at least one is above 0. */
  readonly grades: Grades;
}

const queriesMax = 100_000;
const judgementsMax = 10_000_000;

/**
 * The queries of a folder in BEIR's format (`queries.jsonl` and `qrels/SPLIT.tsv`; Thakur et al. 2021) for which something is relevant,
 * in the order of their file. Its `corpus.jsonl` is read by a backfill. Throws `source_unreadable`, or `usage` with the place where a
 * line is no query or judgement.
 */
export async function readBeir(
  folder: string,
  { split }: { readonly split: string },
): Promise<readonly JudgedQuery[]> {
  const judged = await readJudgements(join(folder, "qrels", `${split}.tsv`));
  const queries: JudgedQuery[] = [];
  for await (const { value, source } of itemsOf(join(folder, "queries.jsonl"))) {
    const { _id: id, text, parts = {} } = value;
    if (typeof id !== "string" || typeof text !== "string" || !isParts(parts)) {
      throw unreadable(
        source,
        "is no query",
        '{"_id": "q1", "text": "…"}, with "parts" an object if there are any',
      );
    }
    const grades = judged.get(id);
    if (grades === undefined || ![...grades.values()].some((grade) => grade > 0)) continue;
    if (queries.length === queriesMax)
      throw new MedleyError("usage", `${folder} has more than ${queriesMax} judged queries`);
    queries.push({ id, text, parts, grades });
  }
  if (queries.length > 0) return queries;
  throw new MedleyError("usage", `${folder}: no query has a relevant record`, {
    mend: `see that the first column of qrels/${split}.tsv has the ids of queries.jsonl, and that scores are above 0`,
  });
}

async function readJudgements(path: string): Promise<ReadonlyMap<string, Map<string, number>>> {
  const judged = new Map<string, Map<string, number>>();
  let count = 0;
  for await (const { value, source } of itemsOf(path)) {
    const { "query-id": query, "corpus-id": record, score } = value;
    const grade = Number(score);
    if (typeof query !== "string" || typeof record !== "string" || !Number.isInteger(grade)) {
      throw unreadable(
        source,
        "is no judgement",
        "the columns query-id, corpus-id and score, a whole number",
      );
    }
    count += 1;
    if (count > judgementsMax)
      throw new MedleyError("usage", `${path} has more than ${judgementsMax} judgements`);
    const grades = judged.get(query) ?? new Map<string, number>();
    judged.set(query, grades.set(record, grade));
  }
  return judged;
}

async function* itemsOf(path: string): AsyncGenerator<SourceItem & { ok: true }> {
  for await (const item of (await openSource(path)).records()) {
    if (!item.ok) throw unreadable(item.source, item.reason, "mend the line");
    yield item;
  }
}

function isParts(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unreadable(source: string, problem: string, wanted: string): MedleyError {
  return new MedleyError("usage", `${source} ${problem}`, { mend: wanted });
}
