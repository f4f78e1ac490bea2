import { MedleyError, recordIdBytesMax, suggestion, textProblem } from "@medley/core";
import type { CollectionEncoders, SearchQuery } from "@medley/pipeline";
import { isNestedWithin, levelsMax } from "../body/body.ts";

export const hitsMax = 1_000;

/** A search as it is asked for over HTTP. */
export interface AskedSearch {
  /** A sentence, which is understood first; what the query says goes before. */
  readonly ask: string | null;
  readonly query: SearchQuery;
}

const keys = [
  "ask",
  "parts",
  "weights",
  "like",
  "for",
  "excludeSeen",
  "filter",
  "k",
  "recall",
] as const satisfies readonly ("ask" | keyof SearchQuery)[];

/**
 * Checks the form of a search. What a part may say is known to its encoder, and what a condition may say to the store:
 * both are checked there. Throws `query_invalid`.
 */
export function parseSearchQuery(opened: CollectionEncoders, input: unknown): AskedSearch {
  if (!isNestedWithin(input, levelsMax)) throw invalid(`a search is nested at most ${levelsMax} levels deep`);
  if (!isObject(input)) throw invalid("a search must be an object", 'send {} or {"parts": {…}}');
  const unknown = Object.keys(input).find((key) => !(keys as readonly string[]).includes(key));
  if (unknown !== undefined) throw invalid(`a search has no key "${unknown}"`, suggestion(unknown, keys));
  const { ask, ...query } = input;
  if (ask !== undefined && typeof ask !== "string") throw invalid("ask must be a sentence, a string");
  const { parts, weights, like, for: user, excludeSeen, filter, k, recall } = query;
  if (parts !== undefined && !isObject(parts)) throw invalid("parts must be an object of space to part");
  if (weights !== undefined) checkWeights(opened, weights);
  if (like !== undefined) checkId(like, "like", "the id of a record");
  if (user !== undefined) checkId(user, "for", "a user");
  if (excludeSeen !== undefined && typeof excludeSeen !== "boolean")
    throw invalid("excludeSeen must be true or false");
  if (filter !== undefined) {
    if (!isObject(filter)) throw invalid("filter must be an object of field to condition");
    checkStorable(filter, "filter");
  }
  if (k !== undefined && !(Number.isInteger(k) && (k as number) >= 1 && (k as number) <= hitsMax)) {
    throw invalid(`k must be an integer from 1 to ${hitsMax}`);
  }
  if (recall !== undefined && !(typeof recall === "number" && recall >= 0 && recall <= 1)) {
    throw invalid("recall must be a number from 0 to 1");
  }
  return { ask: ask ?? null, query };
}

function checkWeights({ layout, collection }: CollectionEncoders, weights: unknown): void {
  if (!isObject(weights)) throw invalid("weights must be an object of space to number");
  const spaces = layout.map((segment) => segment.space);
  for (const [space, weight] of Object.entries(weights)) {
    if (!spaces.includes(space)) {
      throw invalid(
        `weights: collection ${collection.name} has no space "${space}"`,
        suggestion(space, spaces),
      );
    }
    // Postgres computes with 4-byte floats.
    if (typeof weight !== "number" || !Number.isFinite(Math.fround(weight))) {
      throw invalid(`the weight of "${space}" must be a finite number`);
    }
  }
}

function checkId(id: unknown, key: string, what: string): void {
  if (typeof id !== "string") throw invalid(`${key} must be ${what}, a string`);
  checkStorable(id, key);
  if (Buffer.byteLength(id) > recordIdBytesMax)
    throw invalid(`${key}: an id has at most ${recordIdBytesMax} bytes`);
}

/** Refuses what Postgres could not take as a value: it would look like a fault of the server. */
function checkStorable(value: unknown, where: string): void {
  if (typeof value === "string") {
    const problem = textProblem(value);
    if (problem !== undefined) throw invalid(`${where} ${problem}`);
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) throw invalid(`${where} holds a number that is not finite`);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      checkStorable(key, where);
      checkStorable(inner, where);
    }
  }
}

function isObject(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

function invalid(message: string, mend?: string): MedleyError {
  return new MedleyError("query_invalid", message, mend === undefined ? {} : { mend });
}
