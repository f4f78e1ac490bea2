import { type NodeInput, type Space, spaceInput } from "@medley/core";
import type { SeriesValue } from "@medley/models";
import type { Edge } from "../graph/adjacency.ts";
import type { SageNode } from "../graph/sage-data.ts";
import type { RecordSeries } from "../series/windows.ts";
import type { TargetValue } from "../target/target.ts";
import type { TrainingRecord } from "./trainer.ts";

/** What the space's encoder reads of each record that has it. */
export async function* inputsOf<Input>(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
): AsyncGenerator<Input, void, void> {
  for await (const record of records) {
    const input = spaceInput(space, record);
    if (input !== null) yield input as Input;
  }
}

export async function* edgesOf(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
): AsyncGenerator<Edge, void, void> {
  for await (const { id, edges } of inputsOf<NodeInput>(records, space)) {
    for (const [to, weight] of Object.entries(edges)) yield { from: id, to, weight };
  }
}

/** Each with the id of its record, by which a series that can't be trained on is named. */
export async function* seriesOf(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
): AsyncGenerator<RecordSeries, void, void> {
  for await (const record of records) {
    const input = spaceInput(space, record) as SeriesValue | null;
    if (input !== null) yield { ...input, id: record.id };
  }
}

/** The segments that came with the records. */
export async function* featuresOf(
  records: AsyncIterable<TrainingRecord>,
): AsyncGenerator<Float32Array, void, void> {
  for await (const { features } of records) yield features as Float32Array;
}

export function definitionOf<Name extends Space["definition"]["encoder"]>(
  { definition }: Space,
  encoder: Name,
): Extract<Space["definition"], { encoder: Name }> {
  if (definition.encoder !== encoder) throw new TypeError(`a space of encoder ${encoder}`);
  return definition as Extract<Space["definition"], { encoder: Name }>;
}

/** So that an option that is not configured has the trainer's default. */
export function withoutUndefined<Options extends object>(
  options: Options,
): { [Name in keyof Options]: Exclude<Options[Name], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}

/** What the space's encoder reads of each record that has it, and what there is to learn of it: the field `target`'s value. */
export async function* examplesOf<Input>(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
  target: string,
): AsyncGenerator<{ input: Input; target: TargetValue }, void, void> {
  for await (const record of records) {
    const input = spaceInput(space, record);
    if (input !== null)
      yield { input: input as Input, target: (record.fields[target] ?? null) as TargetValue };
  }
}

/** Nodes with their features; a node without edges is one too. */
export async function* nodesOf(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
  target: string | undefined,
): AsyncGenerator<SageNode, void, void> {
  for await (const record of records) {
    const { edges } = (spaceInput(space, record) ?? { edges: {} }) as Pick<NodeInput, "edges">;
    const label = target === undefined ? null : ((record.fields[target] ?? null) as string | null);
    yield { id: record.id, edges, features: record.features as Float32Array, label };
  }
}
