/**
 * The most words of one value that count, so that a text as long as a book stays a bounded row; the bound is a dozen times
 * the longest film review's length. What comes after is not read.
 */
export const wordsMax = 10_000;

/**
 * Scripts that write words without spaces between them: each letter, with its marks, is a word of its own, and pairs of
 * letters come from n-grams of two, which is how search engines index these scripts.
 */
const unspaced = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}`;

/** Letters, marks and digits in a row, with apostrophes between them: "don't" and "l'amour" are one word each. */
const wordPattern = new RegExp(
  String.raw`[${unspaced}]\p{M}*|[[\p{L}\p{M}\p{N}]--[${unspaced}]]+(?:'[[\p{L}\p{M}\p{N}]--[${unspaced}]]+)*`,
  "gv",
);
const apostrophes = /[\u2018\u2019\u02bc\u00b4`]/g;

/**
 * The words of a text in order, at most `max` of them: in Unicode's form NFKC (so that composed and decomposed accents, wide
 * and narrow forms are equal), in lower case by Unicode's rules of no language in particular, every kind of apostrophe as
 * U+0027. Accents stay. Everything else (punctuation, symbols, emoji, mark-up's brackets) parts words and is left out.
 */
export function wordsOf(text: string, max: number = wordsMax): string[] {
  const normal = text.normalize("NFKC").toLowerCase().replace(apostrophes, "'");
  const words: string[] = [];
  for (const [word] of normal.matchAll(wordPattern)) {
    if (words.length === max) break;
    words.push(word);
  }
  return words;
}
