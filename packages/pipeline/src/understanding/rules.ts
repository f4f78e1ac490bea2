import { type Collection, isTextSpace, type Space } from "@medley/core";
import { readNumbers } from "./number-rules.ts";
import { condition, part, type Reading } from "./reading.ts";
import { kindOf, type SpokenQuery, spokenFields, spokenSpaces, valuesOf } from "./spoken-query.ts";
import { formsOf, isEmpty, quotesOf, type Word, wordsOf } from "./words.ts";

const valueWordsMax = 4;
const negations = new Set(["no", "not", "without", "except", "non", "never", "excluding", "isn't", "aren't"]);
const joins = new Set(["and", "or", "nor"]);
const newWords = new Set([
  "new",
  "newer",
  "newest",
  "recent",
  "recently",
  "latest",
  "lately",
  "fresh",
  "modern",
]);
const oldWords = new Set(["old", "older", "oldest", "classic", "vintage", "early"]);
const unitDays: Readonly<Record<string, number>> = { day: 1, week: 7, month: 30, year: 365 };
const countWords = new Set(["top", "first", "best"]);
const countedWords = new Set(["results", "hits", "records", "matches"]);

/**
 * A sentence by rules, in English: names of categories (`crime comedies`, `no horror`, `only drama`), numbers with a comparison
 * (`after 1990`, `under 20`, `the 1980s`, `last 3 weeks`), ends of a range (`cheapest`, `highest rating`), what is new or old, `top 5`; what no rule has read
 * is the text. What stands in quotes no rule reads: it is text, and looked for as it stands where the collection has `texts`. A rule reads
 * words once, the longest name first.
 */
export function speakByRules(collection: Collection, sentence: string, now: Date): SpokenQuery {
  const reading: Reading = { collection, words: wordsOf(sentence), now, parts: [], conditions: [] };
  const k = readCount(reading);
  for (const space of spokenSpaces(collection)) {
    if (kindOf(space) === "categories") readCategories(reading, space);
  }
  readSpan(reading);
  readNumbers(reading);
  readAge(reading);
  const text = leftText(reading);
  const textSpaces = spokenSpaces(collection).filter(isTextSpace);
  if (text !== null) for (const space of textSpaces) reading.parts.push(part(space.name, { text }));
  // Words that no space takes are looked for as they stand.
  const quotes = quotesOf(sentence).map((words) => `"${words}"`);
  const asTheyStand = quotes.length > 0 ? quotes.join(" ") : textSpaces.length === 0 ? text : null;
  if (asTheyStand !== null)
    for (const { name } of collection.texts) reading.parts.push(part(name, { text: asTheyStand }));
  return { parts: reading.parts, conditions: reading.conditions, k };
}

function readCount({ words }: Reading): number | null {
  for (const [at, word] of words.entries()) {
    if (!/^\d{1,4}$/.test(word.lower)) continue;
    const [before, after] = [words[at - 1], words[at + 1]];
    const named = before !== undefined && countWords.has(before.lower) ? before : after;
    if (named === undefined || !(countWords.has(named.lower) || countedWords.has(named.lower))) continue;
    word.used = true;
    named.used = true;
    return Number(word.lower);
  }
  return null;
}

function readCategories({ collection, words, parts, conditions }: Reading, space: Space): void {
  const field = space.fields[0] as string;
  const values = valuesOf(collection, field);
  if (values === null) return;
  const isOne = collection.fields.find(({ name }) => name === field)?.type === "category";
  const known = new Map(values.map((value) => [value.toLowerCase(), value]));
  const said: Record<"wanted" | "only" | "not", string[]> = { wanted: [], only: [], not: [] };
  let manner: keyof typeof said = "wanted";
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as Word;
    if (negations.has(word.lower) || word.lower === "only") {
      manner = word.lower === "only" ? "only" : "not";
      continue;
    }
    const length = matchedWords(words, at, known);
    if (length > 0) {
      said[manner].push(known.get(nameAt(words, at, length, known) as string) as string);
      const [before] = words.slice(Math.max(0, at - 1), at);
      if (before !== undefined && (negations.has(before.lower) || before.lower === "only"))
        before.used = true;
      for (const each of words.slice(at, at + length)) each.used = true;
      at += length - 1;
    } else if (!joins.has(word.lower)) manner = "wanted";
  }
  if (said.wanted.length + said.only.length > 0) {
    parts.push(part(space.name, { categories: [...said.wanted, ...said.only] }));
  }
  if (isOne) {
    for (const text of said.not) conditions.push(condition(field, "ne", { text }));
    if (said.only.length === 1) conditions.push(condition(field, "eq", { text: said.only[0] as string }));
  } else {
    if (said.not.length > 0) conditions.push(condition(field, "none", { texts: said.not }));
    if (said.only.length > 0) conditions.push(condition(field, "any", { texts: said.only }));
  }
}

/** How many words from `at` on are a known name, the longest first; 0: none. */
function matchedWords(words: readonly Word[], at: number, known: ReadonlyMap<string, string>): number {
  for (let length = Math.min(valueWordsMax, words.length - at); length > 0; length -= 1) {
    if (nameAt(words, at, length, known) !== null) return length;
  }
  return 0;
}

function nameAt(
  words: readonly Word[],
  at: number,
  length: number,
  known: ReadonlyMap<string, string>,
): string | null {
  const part = words.slice(at, at + length);
  if (part.some(({ used }) => used) || (length === 1 && isEmpty(part[0] as Word))) return null;
  const last = part.at(-1) as Word;
  const first = part.slice(0, -1).map(({ lower }) => lower);
  const names = formsOf(last.lower).map((form) => [...first, form].join(" "));
  return names.find((name) => known.has(name)) ?? null;
}

/** `of the last 3 months`, `past week`: a condition on the only field that holds times. */
function readSpan({ collection, words, conditions, now }: Reading): void {
  const fields = spokenFields(collection).filter(({ type }) => type === "timestamp");
  if (fields.length !== 1) return;
  for (const [at, word] of words.entries()) {
    if (word.lower !== "last" && word.lower !== "past") continue;
    const isCounted = /^\d{1,4}$/.test(words[at + 1]?.lower ?? "");
    const unit = words[at + (isCounted ? 2 : 1)];
    const days = formsOf(unit?.lower ?? "")
      .map((form) => unitDays[form])
      .find((each) => each !== undefined);
    if (unit === undefined || days === undefined) continue;
    const count = isCounted ? Number(words[at + 1]?.lower) : 1;
    const text = new Date(now.getTime() - count * days * 86_400_000).toISOString();
    conditions.push(condition(fields[0]?.name as string, "gte", { text }));
    for (const read of words.slice(at, words.indexOf(unit) + 1)) read.used = true;
    return;
  }
}

/** New and old, where nothing else asks the same space. */
function readAge({ collection, words, parts }: Reading): void {
  const spaces = spokenSpaces(collection);
  const recency = spaces.find((space) => kindOf(space) === "recency");
  const year = spaces.find(
    ({ name, definition }) => definition.encoder === "number" && /year|date|released/.test(name),
  );
  for (const word of words) {
    const [isNew, isOld] = [newWords.has(word.lower), oldWords.has(word.lower)];
    const space = isNew ? (recency ?? year) : isOld ? year : undefined;
    if (word.used || space === undefined || parts.some((one) => one.space === space.name)) continue;
    word.used = true;
    parts.push(part(space.name, space === year ? { prefer: isNew ? "high" : "low" } : {}));
  }
}

/** What no rule has read, from the first to the last word that means something; null: nothing. */
function leftText({ collection, words }: Reading): string | null {
  const left = words.filter(({ used, quoted }) => !used || quoted);
  const called = new Set(formsOf(collection.name.toLowerCase()));
  const says = (word: Word) => !isEmpty(word) && !formsOf(word.lower).some((form) => called.has(form));
  const [first, last] = [left.findIndex(says), left.findLastIndex(says)];
  if (first < 0) return null;
  return left
    .slice(first, last + 1)
    .map(({ text }) => text)
    .join(" ");
}
