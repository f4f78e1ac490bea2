import { resolve } from "node:path";
import { type Collection, MedleyError } from "@medley/core";
import { Random, sampleItems } from "@medley/training";
import { itemsOf, unreadable } from "../evaluate/judged-query.ts";
import type { Grades } from "../evaluate/ranking-metrics.ts";

/** A record, by its id, and how much others belong to it. */
export interface TaskPairs {
  readonly task: string;
  readonly id: string;
  readonly grades: Grades;
}

/** Of a task; where there are more records with pairs, so many are drawn. */
const recordsMax = 2_000;
const pairsMax = 10_000_000;

/**
 * The pairs of all tasks that have any, by their first record. A pair that is named again counts again, as clicks do. `directory` is the
 * configuration's. Throws `source_unreadable`, or `usage` with the place of a line that is no pair.
 */
export async function taskPairs(
  { tasks }: Collection,
  { directory, seed }: { readonly directory: string; readonly seed: number },
): Promise<readonly TaskPairs[]> {
  const read = tasks.map(async (task) => {
    if (task.kind !== "pairs") return [];
    const paired = await readPairs(resolve(directory, task.pairs));
    const drawn = await sampleItems(paired, { itemsMax: recordsMax, random: new Random(seed) });
    return drawn.map(([id, grades]) => ({ task: task.name, id, grades }));
  });
  return (await Promise.all(read)).flat();
}

async function readPairs(path: string): Promise<ReadonlyMap<string, Grades>> {
  const paired = new Map<string, Map<string, number>>();
  let count = 0;
  for await (const { value, source } of itemsOf(path)) {
    const { id, other, grade: given = 1 } = value;
    const grade = Number(given);
    if (typeof id !== "string" || typeof other !== "string" || !(grade > 0 && Number.isFinite(grade)))
      throw unreadable(
        source,
        "is no pair",
        '{"id": "a", "other": "b"}, with "grade" a number above 0 if there is one',
      );
    count += 1;
    if (count > pairsMax) throw new MedleyError("usage", `${path} has more than ${pairsMax} pairs`);
    const grades = paired.get(id) ?? new Map<string, number>();
    paired.set(id, grades.set(other, (grades.get(other) ?? 0) + grade));
  }
  return paired;
}
