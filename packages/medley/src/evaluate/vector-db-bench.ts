import { join } from "node:path";
import { MedleyError } from "@medley/core";
import { addQuery, itemsOf, type JudgedQuery, unreadable } from "./judged-query.ts";

/**
 * The queries of a folder in VectorDBBench's format for data of one's own (`test.parquet`: id, emb; `neighbors.parquet`: id, neighbors_id,
 * nearest first), said to one space: relevant are the first k neighbours, so that recall@k is that of the search against the exact
 * one. Its `train.parquet` is read by a backfill. Throws as `readBeir` does.
 */
export async function readVectorDbBench(
  folder: string,
  { space, k }: { readonly space: string; readonly k: number },
): Promise<readonly JudgedQuery[]> {
  const neighbours = new Map<string, readonly unknown[]>();
  for await (const { value, source } of itemsOf(join(folder, "neighbors.parquet"))) {
    const { id, neighbors_id: ids } = value;
    if (!Array.isArray(ids))
      throw unreadable(source, "has no neighbours", "the columns id and neighbors_id, a list of ids");
    neighbours.set(String(id), ids.slice(0, k));
  }
  const queries: JudgedQuery[] = [];
  for await (const { value, source } of itemsOf(join(folder, "test.parquet"))) {
    const { id, emb } = value;
    if (!Array.isArray(emb))
      throw unreadable(source, "is no query", "the columns id and emb, a list of numbers");
    const grades = new Map((neighbours.get(String(id)) ?? []).map((neighbour) => [String(neighbour), 1]));
    // Its id is no record's, though the numbers are the same.
    if (grades.size > 0)
      addQuery(queries, { id: `test-${id}`, text: null, parts: { [space]: emb }, grades, class: null });
  }
  if (queries.length > 0) return queries;
  throw new MedleyError("usage", `${folder}: no query has a neighbour`, {
    mend: "see that the ids of test.parquet and neighbors.parquet are the same",
  });
}
