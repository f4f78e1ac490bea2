/** A word of a sentence; `used` once a rule has read it, and where it is quoted: then it stands for itself. */
export interface Word {
  readonly text: string;
  readonly lower: string;
  readonly quoted: boolean;
  used: boolean;
}

const word = /\p{L}[\p{L}\p{N}'’.-]*[\p{L}\p{N}]|\p{L}|-?\d+(?:[.,]\d+)*(?:s\b)?|[-–]/gu;
const quote = /["“„]([^"“”„]*[\p{L}\p{N}][^"“”„]*)["”“]/gu;

export function wordsOf(sentence: string): Word[] {
  const quotes = [...sentence.matchAll(quote)].map(
    ({ index, 0: { length } }) => [index, index + length] as const,
  );
  return [...sentence.matchAll(word)].map(({ index, 0: text }) => {
    const quoted = quotes.some(([start, end]) => index > start && index < end);
    return { text, lower: text.toLowerCase(), quoted, used: quoted };
  });
}

/** What stands in quotes, without them. */
export function quotesOf(sentence: string): readonly string[] {
  return [...sentence.matchAll(quote)].map(([, words]) => words as string);
}

/** A word's own form and what it may be the plural of: `comedies` is `comedy`, too. */
export function formsOf(word: string): readonly string[] {
  const forms = [word];
  if (word.endsWith("ies")) forms.push(`${word.slice(0, -3)}y`);
  if (word.endsWith("es")) forms.push(word.slice(0, -2));
  if (word.endsWith("s")) forms.push(word.slice(0, -1));
  return forms;
}

/** Words that carry no meaning of their own. */
const empty = new Set(
  (
    "a about all am an and any are as at be been but by can could did do does for find from get give had has have how i i'd i'm if in into is it " +
    "its kind know like me might more most my of on one ones or our please recommend search show similar so some something sort than that " +
    "the their them then there these they this those to want was we were what when where which who will with would you your"
  ).split(" "),
);

export function isEmpty({ lower }: Word): boolean {
  return empty.has(lower) || /^[-–]$/.test(lower);
}
