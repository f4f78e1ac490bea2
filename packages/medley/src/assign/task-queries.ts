import { resolve } from "node:path";
import type { Collection } from "@medley/core";
import { Random, sampleItems } from "@medley/training";
import { readBeir } from "../evaluate/beir.ts";
import type { JudgedQuery } from "../evaluate/judged-query.ts";

/** A judged query, and the task that it is of. */
export interface TaskQuery extends JudgedQuery {
  readonly task: string;
}

/** Of a task; where there are more, so many are drawn. A query is compared with every record. */
const queriesMax = 2_000;

/** The queries of all retrieval tasks, task by task. `directory` is the configuration's. Throws what `readBeir` throws. */
export async function taskQueries(
  { tasks }: Collection,
  { directory, seed }: { readonly directory: string; readonly seed: number },
): Promise<readonly TaskQuery[]> {
  const read = tasks.map(async (task) => {
    if (task.kind !== "retrieval") return [];
    const queries = await readBeir(resolve(directory, task.judgements), { split: task.split });
    const drawn = await sampleItems(queries, { itemsMax: queriesMax, random: new Random(seed) });
    return drawn.map((query) => ({ ...query, task: task.name }));
  });
  return (await Promise.all(read)).flat();
}
