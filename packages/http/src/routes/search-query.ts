import { MedleyError, recordIdBytesMax, type SearchQuery, suggestion, textProblem } from "@medley/core";
import { type CollectionEncoders, cursorCharsMax, hitsMax } from "@medley/pipeline";
import { isNestedWithin, levelsMax } from "../body/body.ts";

/** A search as it is asked for over HTTP. */
export interface AskedSearch {
  /** A sentence, which is understood first; what the query says goes before. */
  readonly ask: string | null;
  readonly query: SearchQuery;
}

/** What each key of a search must be. What a part may say is known to its encoder, and what a condition may say to the store. */
const checks: Readonly<
  Record<"ask" | keyof SearchQuery, (given: unknown, opened: CollectionEncoders) => void>
> = {
  ask: (given) => check(typeof given === "string", "ask must be a sentence, a string"),
  parts: (given) => check(isObject(given), "parts must be an object of space to part"),
  texts: (given, opened) => checkTexts(opened, given),
  weights: (given, opened) => checkWeights(opened, given),
  class: (given) =>
    check(typeof given === "string", "class must be the name of a class of searches, a string"),
  like: (given) => checkIds(given, "like"),
  unlike: (given) => checkIds(given, "unlike"),
  for: (given) => checkId(given, "for", "a user"),
  excludeSeen: (given) => check(typeof given === "boolean", "excludeSeen must be true or false"),
  filter: (given) => {
    check(isObject(given), "filter must be an object of field to condition");
    checkStorable(given, "filter");
  },
  k: (given) => check(isWhole(given, hitsMax), `k must be an integer from 1 to ${hitsMax}`),
  recall: (given) => check(isShare(given), "recall must be a number from 0 to 1"),
  scoreMin: (given) => check(Number.isFinite(given), "scoreMin must be a finite number"),
  diversity: (given) => check(isShare(given), "diversity must be a number from 0 to 1"),
  perGroup: (given) => {
    check(
      isObject(given) && typeof given.field === "string" && isWhole(given.max, hitsMax),
      'perGroup must be an object like {"field": "studio", "max": 2}',
    );
    checkStorable(given, "perGroup");
  },
  after: (given) =>
    check(
      typeof given === "string" && given.length <= cursorCharsMax,
      `after must be the cursor of an answer, at most ${cursorCharsMax} characters`,
    ),
};

/** Checks the form of a search. Throws `query_invalid`. */
export function parseSearchQuery(opened: CollectionEncoders, input: unknown): AskedSearch {
  check(isNestedWithin(input, levelsMax), `a search is nested at most ${levelsMax} levels deep`);
  if (!isObject(input)) throw invalid("a search must be an object", 'send {} or {"parts": {…}}');
  const keys = Object.keys(checks);
  const unknown = Object.keys(input).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw invalid(`a search has no key "${unknown}"`, suggestion(unknown, keys));
  for (const [key, given] of Object.entries(input)) {
    if (given !== undefined) checks[key as keyof typeof checks](given, opened);
  }
  const { ask, ...query } = input;
  return { ask: (ask as string | undefined) ?? null, query };
}

/** A search of a batch, which holds no sentence: each would ask the chat model, all at once. Throws `query_invalid`. */
export function parseBatchedQuery(opened: CollectionEncoders, input: unknown): SearchQuery {
  const { ask, query } = parseSearchQuery(opened, input);
  if (ask === null) return query;
  throw invalid("a search of a batch has no sentence", "send a search with ask alone");
}

/** The searches of a batch, unchecked. Throws `query_invalid`. */
export function parseSearchBatch(input: unknown): readonly unknown[] {
  const { searches, ...rest } = isObject(input) ? input : {};
  const isWhole = Array.isArray(searches) && searches.length > 0 && Object.keys(rest).length === 0;
  if (isWhole) return searches;
  throw invalid("a batch must be an object of searches", 'send {"searches": [{"parts": {…}}, …]}');
}

function isWhole(given: unknown, max: number): boolean {
  return Number.isInteger(given) && (given as number) >= 1 && (given as number) <= max;
}

function isShare(given: unknown): boolean {
  return typeof given === "number" && given >= 0 && given <= 1;
}

function checkWeights({ layout, collection }: CollectionEncoders, weights: unknown): void {
  if (!isObject(weights)) throw invalid("weights must be an object of space or text to number");
  const terms = [...layout.map((segment) => segment.space), ...collection.texts.map(({ name }) => name)];
  for (const [name, weight] of Object.entries(weights)) {
    if (!terms.includes(name)) {
      const what = collection.texts.length === 0 ? "space" : "space or text";
      throw invalid(
        `weights: collection ${collection.name} has no ${what} "${name}"`,
        suggestion(name, terms),
      );
    }
    checkWeight(name, weight);
  }
}

function checkWeight(name: string, weight: unknown): void {
  // Postgres computes with 4-byte floats.
  if (typeof weight === "number" && Number.isFinite(Math.fround(weight))) return;
  throw invalid(`the weight of "${name}" must be a finite number`);
}

function checkTexts({ collection }: CollectionEncoders, texts: unknown): void {
  if (!isObject(texts)) throw invalid("texts must be an object of text to words");
  const names = collection.texts.map(({ name }) => name);
  for (const [name, said] of Object.entries(texts)) {
    if (!names.includes(name)) {
      const mend = names.length === 0 ? 'add one under "texts"' : suggestion(name, names);
      throw invalid(`texts: collection ${collection.name} has no text "${name}"`, mend);
    }
    const { query, weight, ...rest } = isObject(said) ? said : { query: said };
    check(
      typeof query === "string" && Object.keys(rest).length === 0,
      `texts: say of "${name}" words, or an object like {"query": "bank heist -comedy", "weight": 2}`,
    );
    if (weight !== undefined) checkWeight(name, weight);
    checkStorable(query, `texts: "${name}"`);
  }
}

function checkIds(given: unknown, key: string): void {
  for (const id of Array.isArray(given) ? given : [given])
    checkId(id, key, "the id of a record, or a list of them");
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

function check(holds: boolean, message: string): void {
  if (!holds) throw invalid(message);
}

function isObject(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

function invalid(message: string, mend?: string): MedleyError {
  return new MedleyError("query_invalid", message, mend === undefined ? {} : { mend });
}
