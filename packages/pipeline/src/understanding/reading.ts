import type { Collection } from "@medley/core";
import type { SpokenCondition, SpokenPart } from "./spoken-query.ts";
import type { Word } from "./words.ts";

/** What the rules have read of a sentence so far. */
export interface Reading {
  readonly collection: Collection;
  readonly words: Word[];
  readonly now: Date;
  readonly parts: SpokenPart[];
  readonly conditions: SpokenCondition[];
}

export function part(space: string, said: Partial<SpokenPart>): SpokenPart {
  return { space, text: null, number: null, prefer: null, categories: null, weight: null, ...said };
}

export function condition(
  field: string,
  operator: string,
  operand: Partial<SpokenCondition>,
): SpokenCondition {
  return { field, operator, text: null, number: null, texts: null, ...operand };
}
