import {
  type Clock,
  type Collection,
  isTextSpace,
  MedleyError,
  type Result,
  type SearchQuery,
  systemClock,
} from "@medley/core";
import { speakByRules } from "./rules.ts";
import { readSpokenQuery } from "./spoken-query.ts";
import { spokenInstructions, spokenSchema } from "./spoken-schema.ts";

export interface ChatRequest {
  readonly instructions: string;
  readonly sentence: string;
  /** JSON schema that the answer must obey. */
  readonly schema: object;
}

/** A chat model that answers in JSON; a failure says in one line why it did not. Throws only the signal's reason. */
export type AskChat = (request: ChatRequest, signal?: AbortSignal) => Promise<Result<unknown, string>>;

export interface Understood {
  readonly query: SearchQuery;
  readonly by: "model" | "rules";
  /** What was left out of the query, and why; for whoever asked. */
  readonly notes: readonly string[];
}

export interface UnderstandOptions {
  /** Null: by rules alone. */
  readonly ask: AskChat | null;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

export const sentenceCharsMax = 1_000;

/**
 * A sentence as a search: what each space is asked for, weights and conditions. By the chat model where there is one, whose answer
 * is checked piece by piece; by rules where there is none, where it fails, or where nothing of its answer fits. Throws
 * `query_invalid` for a sentence that is empty or too long.
 */
export async function understand(
  collection: Collection,
  sentence: string,
  { ask, clock = systemClock, signal }: UnderstandOptions,
): Promise<Understood> {
  const text = sentence.trim();
  if (text === "" || text.length > sentenceCharsMax) {
    throw new MedleyError(
      "query_invalid",
      `a sentence has 1 to ${sentenceCharsMax} characters, not ${text.length}`,
      {
        mend: "say what to look for in one or two sentences",
      },
    );
  }
  const now = new Date(clock.nowMs());
  const notes: string[] = [];
  if (ask !== null) {
    const request = {
      instructions: spokenInstructions(collection, now),
      sentence: text,
      schema: spokenSchema(collection),
    };
    const answer = await ask(request, signal);
    if (answer.ok) {
      const read = readSpokenQuery(collection, answer.value);
      if (saysSomething(read.query))
        return { ...read, query: withParts(collection, read.query, text), by: "model" };
      notes.push(
        "the chat model's answer says nothing that fits the collection; read by rules",
        ...read.notes,
      );
    } else notes.push(`${answer.failure}; read by rules`);
  }
  const read = readSpokenQuery(collection, speakByRules(collection, text, now));
  return { query: withParts(collection, read.query, text), by: "rules", notes: [...notes, ...read.notes] };
}

/** Conditions rank nothing: a sentence that has nothing else is the text that records are ranked by. */
function withParts(collection: Collection, query: SearchQuery, text: string): SearchQuery {
  if (ranks(query)) return query;
  const spaces = collection.spaces.filter(isTextSpace);
  if (spaces.length > 0)
    return { ...query, parts: Object.fromEntries(spaces.map(({ name }) => [name, text])) };
  if (collection.texts.length === 0) return query;
  return { ...query, texts: Object.fromEntries(collection.texts.map(({ name }) => [name, text])) };
}

function ranks({ parts = {}, texts = {} }: SearchQuery): boolean {
  return Object.keys(parts).length > 0 || Object.keys(texts).length > 0;
}

function saysSomething(query: SearchQuery): boolean {
  return ranks(query) || query.filter !== undefined;
}

/** What is said in so many words goes before what was understood, space by space and field by field. */
export function saidBefore(understood: SearchQuery, said: SearchQuery): SearchQuery {
  return {
    ...understood,
    ...said,
    parts: { ...understood.parts, ...said.parts },
    ...merged("texts", understood, said),
    ...merged("weights", understood, said),
    ...merged("filter", understood, said),
  };
}

function merged(key: "texts" | "weights" | "filter", a: SearchQuery, b: SearchQuery): Partial<SearchQuery> {
  if (a[key] === undefined && b[key] === undefined) return {};
  return { [key]: { ...a[key], ...b[key] } };
}
