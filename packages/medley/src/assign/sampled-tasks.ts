import { type Collection, isLabelTask, type Series } from "@medley/core";
import type { QueryRow, Task, TrainingRecord } from "@medley/training";
import { futureValues, type Parted } from "./part-records.ts";
import type { TaskPairs } from "./task-pairs.ts";
import type { TaskQuery } from "./task-queries.ts";

/** The collection's tasks with their labels, in the records' order, and their queries, which are rows after the records'. */
export function tasksOf(
  { tasks }: Collection,
  parted: Parted,
  { queries, pairs }: { readonly queries: readonly TaskQuery[]; readonly pairs: readonly TaskPairs[] },
): readonly Task[] {
  const { records } = parted;
  const rowOf = new Map(records.map(({ id }, row) => [id, row]));
  const asked = queries.map((query, at) => ({ ...query, row: records.length + at }));
  const paired = pairs.map((pair) => ({ ...pair, row: rowOf.get(pair.id) ?? null }));
  return tasks.map((task): Task => {
    const { name } = task;
    if (!isLabelTask(task))
      return { name, kind: task.kind, queries: queryRows(name, [...asked, ...paired], rowOf) };
    if (task.kind !== "forecasting") {
      const labelIn = ({ fields }: TrainingRecord) => (fields[task.label] ?? null) as string | number | null;
      return { name, kind: task.kind, values: records.map(labelIn) };
    }
    const { after } = task;
    const past = ({ fields }: TrainingRecord) => (fields[after as string] ?? null) as Series | null;
    return {
      ...{ name, kind: task.kind, ids: records.map(({ id }) => id) },
      values: futureValues(parted, task.label),
      pasts: after === null ? null : records.map(past),
    };
  });
}

interface Asked extends TaskPairs {
  readonly row: number | null;
}

/** Of a task's queries those that are there, and to which a record is relevant that is there. */
function queryRows(
  name: string,
  queries: readonly Asked[],
  rowOf: ReadonlyMap<string, number>,
): readonly QueryRow[] {
  return queries.flatMap(({ id, task, grades, row, class: of }) => {
    const found = [...grades].flatMap(([record, grade]): [number, number][] => {
      const at = rowOf.get(record);
      return at === undefined || record === id ? [] : [[at, grade]];
    });
    if (task !== name || row === null || !found.some(([, grade]) => grade > 0)) return [];
    return [{ row, self: rowOf.get(id) ?? null, class: of, grades: new Map(found) }];
  });
}
