import { fail, MedleyError, succeed } from "@medley/core";
import type { ArtefactFiles, Features, FeaturesManifest } from "./features.ts";
import { readVocabulary } from "./read-vocabulary.ts";
import { wordsMax, wordsOf } from "./words-of-text.ts";

/** A text, or several whose words count together; an n-gram does not reach from one into the next. */
export type WordsValue = string | readonly string[];

/** Fewest and most words of a term: [1, 2] takes single words and pairs of neighbours. */
export type NgramRange = readonly [min: number, max: number];

/** The terms of the table's rows: a JSON list, row 0 first; the words of a term are parted by one space. */
export const termsFile = "terms.json";

export const ngramWordsMax = 5;

/** How often each term occurs in a value; its words are those of `wordsOf`, the first `wordsMax` of all texts together. */
export function countTerms(value: WordsValue, [min, max]: NgramRange): Map<string, number> {
  const counts = new Map<string, number>();
  let wordsLeft = wordsMax;
  for (const text of typeof value === "string" ? [value] : value) {
    const words = wordsOf(text, wordsLeft);
    wordsLeft -= words.length;
    for (let start = 0; start < words.length; start += 1) {
      let term = "";
      for (let length = 1; length <= max && start + length <= words.length; length += 1) {
        const word = words[start + length - 1] as string;
        term = length === 1 ? word : `${term} ${word}`;
        if (length >= min) counts.set(term, (counts.get(term) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/** What a term's count weighs: 1 + ln count, so that the tenth occurrence adds little (Manning et al. 2008, section 6.4.1). */
export function termWeight(count: number): number {
  return 1 + Math.log(count);
}

/**
 * Terms of the table with `termWeight` of their counts, in the order of first occurrence; terms that are not in the table
 * are left out, so a text of unknown words alone says nothing. The inverse document frequencies are in the table, and the
 * length of the row does not count, because the segment is scaled to unit length.
 */
export function wordsFeatures(manifest: FeaturesManifest, files: ArtefactFiles): Features<WordsValue> {
  const ngrams = ngramsOf(manifest);
  const rows = new Map(readVocabulary(files, termsFile).map((term, row) => [term, row]));
  const row = (value: WordsValue): Float32Array => {
    const pairs: number[] = [];
    for (const [term, count] of countTerms(value, ngrams)) {
      const id = rows.get(term);
      if (id !== undefined) pairs.push(id, termWeight(count));
    }
    return Float32Array.from(pairs);
  };
  return {
    row: (value) => succeed(row(value)),
    queryRow: (query) =>
      isWordsValue(query)
        ? succeed(row(query))
        : fail({ message: "the query is no text", mend: "give a text, or a list of texts" }),
  };
}

function isWordsValue(query: unknown): query is WordsValue {
  return typeof query === "string" || (Array.isArray(query) && query.every((one) => typeof one === "string"));
}

function ngramsOf({ ngrams }: FeaturesManifest): NgramRange {
  if (isNgramRange(ngrams)) return ngrams;
  throw new MedleyError("model_damaged", "the trained model's manifest.json names no range of n-grams", {
    mend: "take the artefact's folder from a backup, or train the space again",
  });
}

/** 1 ≤ min ≤ max ≤ `ngramWordsMax`. */
export function isNgramRange(value: unknown): value is NgramRange {
  if (!Array.isArray(value) || value.length !== 2 || !value.every(Number.isInteger)) return false;
  const [min, max] = value as [number, number];
  return 1 <= min && min <= max && max <= ngramWordsMax;
}
