import { isTextSpace, MedleyError, type Space } from "@medley/core";
import { openSource, type SourceItem } from "@medley/sources";
import type { Grades } from "./ranking-metrics.ts";

/** A search whose right answers are known. */
export interface JudgedQuery {
  readonly id: string;
  /** Said to every space that reads texts; null: it has no words. */
  readonly text: string | null;
  /** By space, what the query says of it. */
  readonly parts: Readonly<Record<string, unknown>>;
  /** By record id; at least one is above 0. */
  readonly grades: Grades;
  /** What kind of query it is; null: it does not say. */
  readonly class: string | null;
}

/** What a query says of a space, in its `parts` or by its words; undefined: nothing. */
export function partFor(
  { name, definition }: Pick<Space, "name" | "definition">,
  { text, parts }: Pick<JudgedQuery, "text" | "parts">,
): unknown {
  if (Object.hasOwn(parts, name)) return parts[name];
  return text !== null && isTextSpace({ definition }) ? text : undefined;
}

/** The records that are relevant to any of them. */
export function relevantIds(queries: readonly Pick<JudgedQuery, "grades">[]): ReadonlySet<string> {
  const ids = queries.flatMap(({ grades }) => [...grades].filter(([, grade]) => grade > 0).map(([id]) => id));
  return new Set(ids);
}

const queriesMax = 100_000;
/** Weights are learned for each. */
const classesMax = 32;
const classCharsMax = 100;

/** Whether it can be the name of a class of queries; null: of none. */
export function isClass(value: unknown): value is string | null {
  return value === null || (typeof value === "string" && value !== "" && value.length <= classCharsMax);
}

/** Throws `usage` for more classes than weights are learned for. */
export function checkClasses(queries: readonly Pick<JudgedQuery, "class">[], file: string): void {
  const classes = new Set(queries.map((query) => query.class));
  classes.delete(null);
  if (classes.size <= classesMax) return;
  throw new MedleyError(
    "usage",
    `${file}: its queries are of ${classes.size} classes, at most ${classesMax} are told apart`,
    {
      mend: "name fewer classes, or none",
    },
  );
}

/** The items of a file of queries or judgements, none of which may be bad. Throws `source_unreadable`, or `usage` with the place. */
export async function* itemsOf(path: string): AsyncGenerator<SourceItem & { ok: true }> {
  for await (const item of (await openSource(path)).records()) {
    if (!item.ok) throw unreadable(item.source, "can't be read", item.reason);
    yield item;
  }
}

/** Keeps queries in memory, as many as that allows. */
export function addQuery(queries: JudgedQuery[], query: JudgedQuery): void {
  if (queries.length === queriesMax) {
    throw new MedleyError("usage", `there are more than ${queriesMax} judged queries`, {
      mend: "judge fewer",
    });
  }
  queries.push(query);
}

export function unreadable(source: string, problem: string, wanted: string): MedleyError {
  return new MedleyError("usage", `${source} ${problem}`, { mend: wanted });
}
