import { resolve } from "node:path";
import { type Collection, MedleyError } from "@medley/core";
import { Random, sampleItems } from "@medley/training";
import { checkClasses, isClass, itemsOf, unreadable } from "../evaluate/judged-query.ts";
import type { Grades } from "../evaluate/ranking-metrics.ts";

/** A record, by its id, and how much others belong to it. */
export interface TaskPairs {
  readonly task: string;
  readonly id: string;
  readonly grades: Grades;
  /** Null: of none. */
  readonly class: string | null;
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
    const ofTask = drawn.map(([id, { grades, of }]) => ({ task: task.name, id, grades, class: of }));
    checkClasses(ofTask, task.pairs);
    return ofTask;
  });
  return (await Promise.all(read)).flat();
}

interface Paired {
  readonly grades: Map<string, number>;
  readonly of: string | null;
}

async function readPairs(path: string): Promise<ReadonlyMap<string, Paired>> {
  const paired = new Map<string, Paired>();
  let count = 0;
  for await (const { value, source } of itemsOf(path)) {
    const { id, other, grade: given = 1, class: of = null } = value;
    const grade = Number(given);
    if (
      typeof id !== "string" ||
      typeof other !== "string" ||
      !(grade > 0 && Number.isFinite(grade)) ||
      !isClass(of)
    )
      throw unreadable(
        source,
        "is no pair",
        '{"id": "a", "other": "b"}, with "grade" a number above 0 and "class" a name if there are any',
      );
    count += 1;
    if (count > pairsMax) throw new MedleyError("usage", `${path} has more than ${pairsMax} pairs`);
    const before = paired.get(id) ?? { grades: new Map<string, number>(), of };
    if (before.of !== of)
      throw unreadable(
        source,
        `is of another class than the pairs of "${id}" before`,
        "give a record's pairs one class",
      );
    before.grades.set(other, (before.grades.get(other) ?? 0) + grade);
    paired.set(id, before);
  }
  return paired;
}
