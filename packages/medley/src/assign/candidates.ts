import {
  type Collection,
  type CollectionTask,
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
}

/**
 * A graph is known whole, and only labels are held out: walks are drawn on it without any label, and a node that comes later brings its edges.
 * So a space over edges is trained on those of all records, as the published results of such models are made; whatever learns from a label
 * sees training records alone.
 */
function trainedOn({ encoder }: SpaceDefinition): Candidate["trainedOn"] {
  return encoder === "node2vec" ? "all records" : "training records";
}

/**
 * All that takes part in an assignment: every candidate of every space, and the one encoder of spaces without a choice, since they count in
 * fusions. Spaces of graphsage are left out: their encoder reads neighbours that are stored.
 */
export function candidatesOf({ spaces }: Collection, lock: ModelLock): readonly Candidate[] {
  return spaces.flatMap(({ name: space, definition, candidates }) => {
    if (definition.encoder === "graphsage") return [];
    const definitions = candidates.length === 0 ? [definition] : candidates;
    const names = candidateNames(definitions);
    return definitions.map((one, at) => {
      const known = { model: lock.models[modelOf(one) ?? ""] ?? null, trainedOn: trainedOn(one) };
      const key = identityOf({ definition: one, ...known }).slice(0, 16);
      return { space, name: names[at] as string, definition: one, key, trainedOn: known.trainedOn };
    });
  });
}

/** The pre-trained model that a definition begins from; null where there is none. */
export function modelOf(definition: SpaceDefinition): string | null {
  if (definition.encoder === "text") return definition.model ?? defaultTextModel;
  return definition.encoder === "image" || definition.encoder === "audio" ? definition.model : null;
}

/** Whether a candidate may be used for a task: not what reads the label itself, nor what no query speaks of. */
export function takesPart(
  { space: name, definition }: Candidate,
  task: CollectionTask,
  queries: readonly TaskQuery[],
): boolean {
  if (task.without.includes(name)) return false;
  if (isLabelTask(task)) return !([definition.field].flat() as readonly string[]).includes(task.label);
  const speaks = (query: TaskQuery) =>
    query.task === task.name && partFor({ name, definition }, query) !== undefined;
  return task.kind === "pairs" || queries.some(speaks);
}
