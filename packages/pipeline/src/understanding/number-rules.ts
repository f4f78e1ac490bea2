import type { Collection, Space } from "@medley/core";
import { condition, part, type Reading } from "./reading.ts";
import { spokenFields, spokenSpaces } from "./spoken-query.ts";
import { formsOf, type Word } from "./words.ts";

type Operator = "gt" | "gte" | "lt" | "lte" | "eq";

/** Of one or two words, the longest first. */
const comparisons: readonly (readonly [string, Operator])[] = [
  ["more than", "gt"],
  ["greater than", "gt"],
  ["higher than", "gt"],
  ["later than", "gt"],
  ["newer than", "gt"],
  ["longer than", "gt"],
  ["at least", "gte"],
  ["less than", "lt"],
  ["lower than", "lt"],
  ["fewer than", "lt"],
  ["earlier than", "lt"],
  ["older than", "lt"],
  ["cheaper than", "lt"],
  ["shorter than", "lt"],
  ["at most", "lte"],
  ["up to", "lte"],
  ["after", "gt"],
  ["over", "gt"],
  ["above", "gt"],
  ["since", "gte"],
  ["before", "lt"],
  ["under", "lt"],
  ["below", "lt"],
  ["until", "lte"],
  ["in", "eq"],
  ["from", "eq"],
  ["of", "eq"],
];
const highWords = new Set([
  "highest",
  "high",
  "most",
  "largest",
  "biggest",
  "longest",
  "long",
  "greatest",
  "best",
]);
const lowWords = new Set(["lowest", "low", "least", "smallest", "shortest", "short", "fewest"]);
/** Words that name a field and an end of it at once. */
const priced: Readonly<Record<string, "high" | "low">> = {
  cheap: "low",
  cheapest: "low",
  inexpensive: "low",
  affordable: "low",
  expensive: "high",
};
const priceName = /price|cost/;

/** Numbers with a comparison become conditions, `highest rating` and `cheap` become parts. */
export function readNumbers(reading: Reading): void {
  const { words } = reading;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as Word;
    if (word.used || !/^-?\d/.test(word.lower)) continue;
    if (!readDecade(reading, at)) readRange(reading, at) || readCompared(reading, at);
  }
  readEnds(reading);
}

/** `the 1980s`, `80s`. */
function readDecade(reading: Reading, at: number): boolean {
  const word = reading.words[at] as Word;
  const [, century, decade] = /^(\d\d)?(\d0)s$/.exec(word.lower) ?? [];
  if (decade === undefined) return false;
  const first = Number(century ?? (Number(decade) < 30 ? 20 : 19)) * 100 + Number(decade);
  return compare(reading, at, [
    ["gte", first],
    ["lte", first + 9],
  ]);
}

/** `between 1980 and 1990`, `from 10 to 20`, `1980 - 1990`. */
function readRange(reading: Reading, at: number): boolean {
  const { words } = reading;
  const join = words[at + 1]?.lower ?? "";
  const [low, high] = [numberOf(words[at]), numberOf(words[at + 2])];
  if (low === null || high === null || !["and", "to", "-", "–", "until"].includes(join)) return false;
  const before = words[at - 1]?.lower ?? "";
  if (join === "and" && before !== "between") return false;
  const isRead = compare(reading, at, [
    ["gte", Math.min(low, high)],
    ["lte", Math.max(low, high)],
  ]);
  if (!isRead) return false;
  for (const word of words.slice(at + 1, at + 3)) word.used = true;
  if (before === "between" || before === "from") (words[at - 1] as Word).used = true;
  return true;
}

/** `after 1990`, `rating at least 8`, `in 1994`. */
function readCompared(reading: Reading, at: number): boolean {
  const { words } = reading;
  const value = numberOf(words[at]);
  if (value === null) return false;
  for (const [phrase, operator] of comparisons) {
    const length = phrase.split(" ").length;
    const before = words.slice(Math.max(0, at - length), at);
    if (before.map(({ lower }) => lower).join(" ") !== phrase) continue;
    if (!compare(reading, at, [[operator, value]])) return false;
    for (const word of before) word.used = true;
    return true;
  }
  return false;
}

/** Sets conditions on the field that a number at `at` speaks of; false where none can be told. */
function compare(
  { collection, words, conditions }: Reading,
  at: number,
  wanted: [Operator, number][],
): boolean {
  const values = wanted.map(([, value]) => value);
  const field = fieldOf(collection, words, at, values);
  if (field === undefined) return false;
  for (const [operator, value] of wanted) {
    if (field.type === "number") conditions.push(condition(field.name, operator, { number: value }));
    else conditions.push(...ofYear(field.name, operator, value));
  }
  (words[at] as Word).used = true;
  return true;
}

/** A year, of a field that holds times: after 1990 begins with 1991. */
function ofYear(field: string, operator: Operator, year: number): ReturnType<typeof condition>[] {
  const begin = (of: number) => `${of}-01-01T00:00:00Z`;
  switch (operator) {
    case "gt":
      return [condition(field, "gte", { text: begin(year + 1) })];
    case "lte":
      return [condition(field, "lt", { text: begin(year + 1) })];
    case "eq":
      return [
        condition(field, "gte", { text: begin(year) }),
        condition(field, "lt", { text: begin(year + 1) }),
      ];
    default:
      return [condition(field, operator, { text: begin(year) })];
  }
}

/** The field named within a few words of the number; else the only one in whose range all values lie. */
function fieldOf(
  collection: Collection,
  words: Word[],
  at: number,
  values: readonly number[],
): Collection["fields"][number] | undefined {
  const fields = spokenFields(collection).filter(({ type }) => type === "number" || type === "timestamp");
  const areYears = values.every((value) => Number.isInteger(value) && value >= 1000 && value <= 2999);
  const near = words.slice(Math.max(0, at - 4), at + 4);
  const named = fields.find(({ name }) => near.some((word) => names(word, name)));
  if (named !== undefined && (named.type === "number" || areYears)) {
    const word = near.find((one) => names(one, named.name));
    if (word !== undefined) word.used = true;
    return named;
  }
  const fitting = fields.filter(({ name, type }) => {
    if (type === "timestamp") return areYears;
    const range = numberSpace(collection, name)?.range;
    return range === undefined
      ? /year/.test(name) && areYears
      : values.every((value) => within(value, range));
  });
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** `highest rating`, `cheap`: an end of a number space that nothing else asks. */
function readEnds({ collection, words, parts }: Reading): void {
  const spaces = spokenSpaces(collection).filter(({ definition }) => definition.encoder === "number");
  const ask = (space: Space | undefined, prefer: "high" | "low", read: readonly Word[]) => {
    if (space === undefined || parts.some((one) => one.space === space.name)) return;
    for (const word of read) word.used = true;
    parts.push(part(space.name, { prefer }));
  };
  for (const [at, word] of words.entries()) {
    if (word.used) continue;
    const price = priced[word.lower];
    if (price !== undefined) {
      ask(
        spaces.find(({ fields }) => fields.some((field) => priceName.test(field))),
        price,
        [word],
      );
    }
    const next = words[at + 1];
    const isHigh = highWords.has(word.lower);
    if (next === undefined || !(isHigh || lowWords.has(word.lower))) continue;
    const space = spaces.find(({ name, fields }) => [name, ...fields].some((one) => names(next, one)));
    ask(space, isHigh ? "high" : "low", [word, next]);
  }
}

function numberSpace(
  collection: Collection,
  field: string,
): { range: readonly [number, number] } | undefined {
  for (const { definition, fields } of collection.spaces) {
    if (definition.encoder === "number" && fields.includes(field)) return definition;
  }
  return undefined;
}

function within(value: number, [min, max]: readonly [number, number]): boolean {
  return value >= min && value <= max;
}

function names({ lower }: Word, name: string): boolean {
  const parts = name.toLowerCase().split("_");
  return formsOf(lower).some(
    (form) => form === name.toLowerCase() || (form.length > 2 && parts.includes(form)),
  );
}

/** 1,200.5 and 8.5; a comma before three digits parts thousands, else it is a decimal's. */
function numberOf(word: Word | undefined): number | null {
  const text = word?.lower ?? "";
  if (!/^-?\d+(?:[.,]\d+)*$/.test(text)) return null;
  const value = Number(text.replace(/,(?=\d{3}(?!\d))/g, "").replace(",", "."));
  return Number.isFinite(value) ? value : null;
}
