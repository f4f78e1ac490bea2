import { type Collection, type FieldType, isTextSpace, type SearchQuery, type Space } from "@medley/core";
import { hitsMax } from "../query.ts";

/** What somebody asked for, in the one form that a chat model and the rules both answer in. Null: not said. */
export interface SpokenQuery {
  readonly parts: readonly SpokenPart[];
  readonly conditions: readonly SpokenCondition[];
  readonly k: number | null;
}

/** What a space is asked for: a text, a number or an end of its range, categories; nothing but its name where it is recency. */
export interface SpokenPart {
  /** Or one of the collection's `texts`: then `text` holds words as they are typed into a search engine. */
  readonly space: string;
  readonly text: string | null;
  readonly number: number | null;
  readonly prefer: "high" | "low" | null;
  readonly categories: readonly string[] | null;
  readonly weight: number | null;
}

/** What must hold. A time is an ISO 8601 text. */
export interface SpokenCondition {
  readonly field: string;
  readonly operator: string;
  readonly text: string | null;
  readonly number: number | null;
  readonly texts: readonly string[] | null;
}

/** A query, and what of a sentence has no place in it, each with the reason: for whoever asked. */
export interface ReadQuery {
  readonly query: SearchQuery;
  readonly notes: readonly string[];
}

const ordered = ["eq", "ne", "lt", "lte", "gt", "gte"] as const;
const operatorsOf: Partial<Record<FieldType, readonly string[]>> = {
  number: ordered,
  timestamp: ordered,
  category: ["eq", "ne"],
  categories: ["any", "all", "none"],
};
export const operators = [...ordered, "any", "all", "none"] as const;

const weightMax = 10;
const textCharsMax = 2_000;
const categoriesMax = 32;
export const conditionsMax = 16;

/** Fields that a sentence can set a condition on. */
export function spokenFields({ fields }: Collection): Collection["fields"] {
  return fields.filter(({ type }) => operatorsOf[type] !== undefined);
}

/** Spaces that a sentence can ask for: no picture, sound, place or vector is said in words. */
export function spokenSpaces({ spaces }: Collection): readonly Space[] {
  return spaces.filter((space) => kindOf(space) !== null);
}

type SpokenKind = "text" | "number" | "categories" | "recency";

export function kindOf(space: Pick<Space, "definition">): SpokenKind | null {
  if (isTextSpace(space)) return "text";
  switch (space.definition.encoder) {
    case "number":
      return "number";
    case "category":
    case "entity":
      return "categories";
    case "recency":
      return "recency";
    default:
      return null;
  }
}

/** The names a field or a space may hold, as configured; null where any may be. */
export function valuesOf(collection: Collection, field: string): readonly string[] | null {
  const space = collection.spaces.find(
    ({ fields, definition }) => fields.includes(field) && definition.encoder === "category",
  );
  return space?.definition.encoder === "category" ? space.definition.values : null;
}

/**
 * Checks an answer of any origin against the collection, piece by piece: what fits becomes the query, what doesn't becomes a note.
 * It never throws, whatever it is given.
 */
export function readSpokenQuery(collection: Collection, answer: unknown): ReadQuery {
  const notes: string[] = [];
  const { parts, conditions, k } = (answer ?? {}) as Record<keyof SpokenQuery, unknown>;
  const read: ReadParts = { parts: {}, texts: {}, weights: {} };
  for (const entry of listOf(parts).slice(0, collection.spaces.length + collection.texts.length)) {
    notes.push(...readPart(collection, (entry ?? {}) as SpokenPart, read));
  }
  const filter: Record<string, Record<string, unknown>> = {};
  for (const entry of listOf(conditions).slice(0, conditionsMax)) {
    const note = readCondition(collection, (entry ?? {}) as SpokenCondition, filter);
    if (note !== null) notes.push(note);
  }
  const isCount = Number.isInteger(k) && (k as number) >= 1 && (k as number) <= hitsMax;
  const query = {
    parts: read.parts,
    ...(Object.keys(read.texts).length === 0 ? {} : { texts: read.texts }),
    ...(Object.keys(read.weights).length === 0 ? {} : { weights: read.weights }),
    ...(Object.keys(filter).length === 0 ? {} : { filter }),
    ...(isCount ? { k: k as number } : {}),
  };
  return { query, notes };
}

interface ReadParts {
  readonly parts: Record<string, unknown>;
  readonly texts: Record<string, string>;
  readonly weights: Record<string, number>;
}

function readPart(collection: Collection, said: SpokenPart, read: ReadParts): readonly string[] {
  const space = [...spokenSpaces(collection), ...collection.texts].find(({ name }) => name === said.space);
  if (space === undefined) return [`no space ${quoted(said.space)} can be asked for in words`];
  if (space.name in read.parts || space.name in read.texts)
    return [`${space.name} is asked for twice; the first counts`];
  const { value, note } =
    "definition" in space ? partOf(collection, space, said) : saidTextOf(space.name, said);
  const notes = note === undefined ? [] : [note];
  if (value === undefined) return notes;
  if ("definition" in space) read.parts[space.name] = value;
  else read.texts[space.name] = value as string;
  if (said.weight === null || said.weight === undefined) return notes;
  if (typeof said.weight !== "number" || !(Math.abs(said.weight) <= weightMax)) {
    return [...notes, `${space.name}: a weight is a number from -${weightMax} to ${weightMax}`];
  }
  read.weights[space.name] = said.weight;
  return notes;
}

interface Part {
  /** Undefined: nothing that could be looked for. */
  readonly value?: unknown;
  readonly note?: string;
}

function nothingFor(name: string): Part {
  return { note: `${name}: nothing is said that it could look for` };
}

function saidTextOf(name: string, { text }: SpokenPart): Part {
  return isText(text) ? { value: text.slice(0, textCharsMax) } : nothingFor(name);
}

function partOf(collection: Collection, space: Space, said: SpokenPart): Part {
  const nothing = nothingFor(space.name);
  switch (kindOf(space)) {
    case "text":
      return saidTextOf(space.name, said);
    case "number":
      if (typeof said.number === "number" && Number.isFinite(said.number)) return { value: said.number };
      return said.prefer === "high" || said.prefer === "low" ? { value: said.prefer } : nothing;
    case "recency": {
      const days = said.number;
      return { value: typeof days === "number" && days > 0 ? { halfLifeDays: days } : {} };
    }
    default: {
      const { known, unknown } = knownOf(collection, space.fields[0] as string, said.categories);
      if (known.length + unknown.length === 0) return nothing;
      const note = `${space.name} has no ${unknown.map(quoted).join(", ")}`;
      return { ...(known.length === 0 ? {} : { value: known }), ...(unknown.length === 0 ? {} : { note }) };
    }
  }
}

function readCondition(
  collection: Collection,
  said: SpokenCondition,
  filter: Record<string, Record<string, unknown>>,
): string | null {
  const field = spokenFields(collection).find(({ name }) => name === said.field);
  if (field === undefined) return `no field ${quoted(said.field)} can have a condition`;
  const { operator } = said;
  if (!operatorsOf[field.type]?.includes(operator)) {
    return `${field.name} (${field.type}) has no condition ${quoted(operator)}`;
  }
  const conditions = filter[field.name] ?? {};
  if (operator in conditions) return `${field.name}: ${operator} is said twice; the first counts`;
  const value = operandOf(collection, field, said);
  if (value === null) return `${field.name}: ${operator} is given nothing that it can be compared with`;
  filter[field.name] = { ...conditions, [operator]: value };
  return null;
}

function operandOf(
  collection: Collection,
  { name, type }: Collection["fields"][number],
  { text, number, texts }: SpokenCondition,
): unknown {
  switch (type) {
    case "number":
      return typeof number === "number" && Number.isFinite(number) ? number : null;
    case "timestamp":
      return isText(text) && Number.isFinite(Date.parse(text)) ? new Date(text).toISOString() : null;
    case "category":
      return knownOf(collection, name, isText(text) ? [text] : null).known[0] ?? null;
    default: {
      const { known } = knownOf(collection, name, texts ?? (isText(text) ? [text] : null));
      return known.length === 0 ? null : known;
    }
  }
}

/** Names as the configuration writes them, whatever their case is. */
function knownOf(
  collection: Collection,
  field: string,
  said: unknown,
): { readonly known: readonly string[]; readonly unknown: readonly string[] } {
  const names = listOf(said).filter(isText).slice(0, categoriesMax);
  const values = valuesOf(collection, field);
  if (values === null) return { known: names, unknown: [] };
  const written = new Map(values.map((value) => [value.toLowerCase(), value]));
  const found = names.map((name) => written.get(name.trim().toLowerCase()));
  return {
    known: [...new Set(found.filter((value) => value !== undefined))],
    unknown: names.filter((_, at) => found[at] === undefined),
  };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "" && !value.includes("\0");
}

function quoted(name: unknown): string {
  return JSON.stringify(String(name).slice(0, 60));
}
