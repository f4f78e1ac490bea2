import { z } from "zod";
import { dimensionsMax } from "../fields.ts";
import type { SpaceDefinition } from "./definition.ts";

/** How a space gets by with fewer dimensions than its encoder gives. */
export interface Reduced {
  /** Dimensions of the segment; fewer than the encoder gives. */
  readonly to: number;
  /**
   * `cut`: the first ones, of a model that was trained for it (Matryoshka). `pca`: along the principal axes of a sample of the collection's
   * records. `random`: along random axes. The axes of the last two are an artefact, which `medley train COLLECTION.SPACE` makes.
   */
  readonly by: ReducedBy;
}

export const reducedBy = ["pca", "random", "cut"] as const;
export type ReducedBy = (typeof reducedBy)[number];

/** Of a definition whose encoder gives as many dimensions as its model or its values have. */
export interface Reducible {
  reduced?: Reduced;
}

export const reducedDimensionsMin = 2;

export const reducedShape = z
  .strictObject({ to: z.int().min(reducedDimensionsMin).max(dimensionsMax), by: z.enum(reducedBy) })
  .optional();

export function reductionOf(definition: SpaceDefinition): Reduced | undefined {
  return "reduced" in definition ? definition.reduced : undefined;
}

/** The axes that a space's segments are brought to, where they are an artefact. */
export function projectionOf(
  definition: SpaceDefinition,
): { readonly to: number; readonly by: "pca" | "random" } | undefined {
  const reduced = reductionOf(definition);
  return reduced === undefined || reduced.by === "cut" ? undefined : { to: reduced.to, by: reduced.by };
}

/** The definition as it is before anything is reduced. */
export function unreduced(definition: SpaceDefinition): SpaceDefinition {
  if (!("reduced" in definition)) return definition;
  const { reduced: _, ...whole } = definition;
  return whole;
}

const reducible: readonly string[] = ["text", "image", "audio", "remote", "category", "vector"];

/** The definition with fewer dimensions; null for an encoder that has none to spare, or is told how many to have. */
export function reduce(definition: SpaceDefinition, reduced: Reduced): SpaceDefinition | null {
  const isTuned = "tuned" in definition && definition.tuned !== undefined;
  if (!reducible.includes(definition.encoder) || isTuned) return null;
  return { ...definition, reduced } as SpaceDefinition;
}

/** What is wrong with a reduction that its shape does not tell. */
export function* reducedProblems(definition: SpaceDefinition): Generator<string> {
  const reduced = reductionOf(definition);
  if (reduced === undefined) return;
  if ("tuned" in definition && definition.tuned !== undefined)
    yield "it is both tuned and reduced, and has one artefact; leave one of them out";
  if (reduced.by === "cut" && definition.encoder !== "text" && definition.encoder !== "remote")
    yield `its segments are no text model's, so their first ${reduced.to} dimensions are no better than others; set reduced.by to "pca"`;
}
