import { join } from "node:path";
import { MedleyError } from "@medley/core";
import { addQuery, checkClasses, isClass, itemsOf, type JudgedQuery, unreadable } from "./judged-query.ts";

const judgementsMax = 10_000_000;

/**
 * The queries of a folder in BEIR's format (`queries.jsonl` and `qrels/SPLIT.tsv`; Thakur et al. 2021) for which something is relevant,
 * in the order of their file; a line may have `parts` for other spaces and a `class`, additions to the format. Its `corpus.jsonl` is read by a
 * backfill. Throws `source_unreadable`, or `usage` with the place where a line is no query or judgement.
 */
export async function readBeir(
  folder: string,
  { split }: { readonly split: string },
): Promise<readonly JudgedQuery[]> {
  const judged = await readJudgements(join(folder, "qrels", `${split}.tsv`));
  const queries: JudgedQuery[] = [];
  for await (const { value, source } of itemsOf(join(folder, "queries.jsonl"))) {
    const { _id: id, text, parts = {}, class: of = null } = value;
    if (typeof id !== "string" || typeof text !== "string" || !isParts(parts) || !isClass(of)) {
      throw unreadable(
        source,
        "is no query",
        '{"_id": "q1", "text": "…"}, with "parts" an object and "class" a name if there are any',
      );
    }
    const grades = judged.get(id);
    if (grades === undefined || ![...grades.values()].some((grade) => grade > 0)) continue;
    addQuery(queries, { id, text, parts, grades, class: of });
  }
  checkClasses(queries, folder);
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

function isParts(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
