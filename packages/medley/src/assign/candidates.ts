import {
  type Collection,
  type CollectionTask,
  featuresOfSpace,
  identityOf,
  isLabelTask,
  type SpaceDefinition,
} from "@medley/core";
import { defaultTextModel, type ModelLock } from "@medley/models";
import { partFor } from "../evaluate/judged-query.ts";
import { candidateNames } from "./candidate-name.ts";
import type { TaskQuery } from "./task-queries.ts";

/** One way to encode one space of a collection. */
export interface Candidate {
  readonly space: string;
  readonly name: string;
  /** As it is configured. */
  readonly definition: SpaceDefinition;
  /** Hex: of the definition, the model that it names and what it is trained on. What was measured of an equal one holds for this one. */
  readonly key: string;
  readonly trainedOn: "training records" | "all records";
  /** Keys of the candidates whose segments it is made of, in the order in which it names their spaces. */
  readonly reads: readonly string[];
  /** All that it tells of, by itself or by what it is made of. */
  readonly fields: readonly string[];
}

/**
 * A graph is known whole, and only labels are held out: walks are drawn on it without any label, and a node that comes later brings its edges.
 * So a space over edges is trained on those of all records, as the published results of such models are made; whatever learns from a label
 * sees training records alone.
 */
function trainedOn(definition: SpaceDefinition): Candidate["trainedOn"] {
  const { encoder } = definition;
  const isGraphAlone = encoder === "node2vec" || (encoder === "graphsage" && definition.target === undefined);
  return isGraphAlone ? "all records" : "training records";
}

/**
 * All that takes part in an assignment: every candidate of every space, and the one encoder of spaces without a choice, since they count in
 * fusions. What is made of other spaces' segments comes after them; a configuration gives such spaces one encoder each.
 */
export function candidatesOf({ spaces }: Collection, lock: ModelLock): readonly Candidate[] {
  const found: Candidate[] = [];
  const reading = (definitions: readonly SpaceDefinition[]) =>
    Math.max(...definitions.map((definition) => featuresOfSpace(definition).length));
  const choices = spaces.map(({ name: space, definition, candidates }) => {
    return { space, definitions: candidates.length === 0 ? [definition] : candidates };
  });
  for (const { space, definitions } of choices.toSorted(
    (a, b) => reading(a.definitions) - reading(b.definitions),
  )) {
    const names = candidateNames(definitions);
    for (const [at, definition] of definitions.entries()) {
      const read = featuresOfSpace(definition).map(
        (feature) => found.find((one) => one.space === feature) as Candidate,
      );
      const reads = read.map(({ key }) => key);
      const fields = [[definition.field].flat() as string[], ...read.map((one) => one.fields)].flat();
      const on = trainedOn(definition);
      const known = { model: lock.models[modelOf(definition) ?? ""] ?? null, trainedOn: on };
      const key = identityOf({ definition, ...known, ...(reads.length === 0 ? {} : { reads }) }).slice(0, 16);
      found.push({ space, name: names[at] as string, definition, key, trainedOn: on, reads, fields });
    }
  }
  return found;
}

/** The pre-trained model that a definition begins from; null where there is none. */
export function modelOf(definition: SpaceDefinition): string | null {
  if (definition.encoder === "text") return definition.model ?? defaultTextModel;
  return definition.encoder === "image" || definition.encoder === "audio" ? definition.model : null;
}

/** Whether a candidate may be used for a task: not what reads the label itself or is made of what does, nor what no query speaks of. */
export function takesPart(
  { space: name, definition, fields }: Candidate,
  task: CollectionTask,
  queries: readonly TaskQuery[],
): boolean {
  if ([name, ...featuresOfSpace(definition)].some((one) => task.without.includes(one))) return false;
  if (isLabelTask(task)) return !fields.includes(task.label);
  const speaks = (query: TaskQuery) =>
    query.task === task.name && partFor({ name, definition }, query) !== undefined;
  return task.kind === "pairs" || queries.some(speaks);
}
