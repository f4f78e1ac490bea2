import { countTerms, type NgramRange, type WordsValue } from "@medley/models";

export interface VocabularyOptions {
  readonly ngrams: NgramRange;
  /** Terms that are in fewer texts are left out. */
  readonly termTextsMin: number;
  readonly vocabularyMax: number;
}

export interface Vocabulary {
  /** The term that is in most texts first. */
  readonly terms: readonly string[];
  /** In how many of the texts each term is. */
  readonly texts: Uint32Array;
}

/** Terms that are counted at one time, per term of the vocabulary. */
const candidatesPerTerm = 20;

/**
 * The `vocabularyMax` terms that are in most of the texts; of equals, the first in code unit order. At most 20 times as many
 * are counted at one time: when there are more, those of the lowest counts are forgotten, as in lossy counting (Manku and
 * Motwani, "Approximate frequency counts over data streams", 2002), so a term's count may be too low by the few texts that
 * it was in when it was forgotten.
 */
export function vocabularyOf(texts: readonly WordsValue[], options: VocabularyOptions): Vocabulary {
  const { ngrams, termTextsMin, vocabularyMax } = options;
  const candidatesMax = candidatesPerTerm * vocabularyMax;
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const term of countTerms(text, ngrams).keys()) counts.set(term, (counts.get(term) ?? 0) + 1);
    if (counts.size > candidatesMax) forgetRarest(counts, candidatesMax / 2);
  }
  const kept = [...counts]
    .filter(([, count]) => count >= termTextsMin)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, vocabularyMax);
  return { terms: kept.map(([term]) => term), texts: Uint32Array.from(kept, ([, count]) => count) };
}

/** Until at most `sizeMax` are left. */
function forgetRarest(counts: Map<string, number>, sizeMax: number): void {
  for (let floor = 1; counts.size > sizeMax; floor += 1) {
    for (const [term, count] of counts) if (count <= floor) counts.delete(term);
  }
}
