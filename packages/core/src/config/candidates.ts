import { z } from "zod";
import type { Fields } from "../fields.ts";
import { canonicalJson } from "../identity.ts";
import type { SpaceDefinition, Weighted } from "./definition.ts";

/**
 * A space that may be encoded in one of several ways: `medley assign` measures them on the collection's tasks and pins its choice in
 * `medley.lock.json`. Until then the first one serves. The weight is the space's, whichever is chosen.
 */
export interface CandidateSpace<F extends Fields> extends Weighted {
  candidates: readonly [SpaceDefinition<F>, SpaceDefinition<F>, ...SpaceDefinition<F>[]];
}

const candidatesMax = 16;

/** The shape of such a space, made of that of one with a single encoder. */
export function candidateSpaceShape<Shape extends z.ZodType>(spaceShape: Shape) {
  return z.strictObject({
    candidates: z.array(spaceShape).min(2).max(candidatesMax),
    weight: z.number().optional().describe("weight in searches that name none; may be 0 or negative"),
  });
}

/** What is wrong with a list of candidates beyond what is wrong with each of them. */
export function* candidateProblems(candidates: readonly SpaceDefinition[]): Generator<string> {
  const seen = new Map<string, number>();
  for (const [at, definition] of candidates.entries()) {
    const place = `candidate ${at + 1}`;
    if (definition.weight !== undefined)
      yield `${place}: weight belongs to the space; move it beside "candidates"`;
    const text = canonicalJson(definition);
    const first = seen.get(text);
    if (first !== undefined) yield `${place} is candidate ${first} again; remove one`;
    else seen.set(text, at + 1);
  }
}
