import { z } from "zod";
import type { Fields } from "../fields.ts";
import { type TableSource, tableName, tableSourceProblems, tableSourceShape } from "./table-source.ts";
import {
  type SourceCollection,
  type TopicSource,
  topicSourceProblems,
  topicSourceShape,
} from "./topic-source.ts";

/** Where records of a collection come from by themselves, besides HTTP and files. Each kind has a file of its own. */
export type SourceDefinition<F extends Fields = Fields> = TopicSource<F> | TableSource<F>;

export const sourceShape = z.discriminatedUnion("kind", [topicSourceShape, tableSourceShape]);

/** How a source is called in messages: unique within its collection. */
export function sourceName(source: SourceDefinition): string {
  if (source.kind === "topic") return `topic ${source.topic}`;
  const { schema, name } = tableName(source.table);
  return `table ${schema}.${name}`;
}

/** Each problem with its mend; the caller adds which collection. */
export function* sourcesProblems(
  sources: readonly SourceDefinition[],
  collection: SourceCollection,
): Generator<string> {
  const names = new Set<string>();
  for (const source of sources) {
    const name = sourceName(source);
    if (names.has(name)) yield `${name} is a source twice; remove one`;
    names.add(name);
    const problems =
      source.kind === "topic"
        ? topicSourceProblems(source, collection)
        : tableSourceProblems(source, collection);
    for (const problem of problems) yield `${name}: ${problem}`;
  }
}

/** A group that two sources name: each would be assigned partitions of the other's topic, and leave them unread. */
export function* sharedGroups(sources: readonly SourceDefinition[]): Generator<string> {
  const groups = new Set<string>();
  for (const source of sources) {
    if (source.kind !== "topic" || source.group === undefined) continue;
    if (groups.has(source.group)) yield `group "${source.group}" is given to two sources; give each its own`;
    groups.add(source.group);
  }
}
