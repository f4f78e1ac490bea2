import { expect, test } from "vitest";
import { featuresOf } from "./features.ts";
import { countTerms, termsFile } from "./words-features.ts";
import { wordsMax, wordsOf } from "./words-of-text.ts";

test.for([
  ["The END!", ["the", "end"]],
  ["don\u2019t stop, it's 9/10", ["don't", "stop", "it's", "9", "10"]],
  ["'quoted' rock'n'roll", ["quoted", "rock'n'roll"]],
  ["<br />new_line", ["br", "new", "line"]],
  ["E\u0301te\u0301 = \u00c9t\u00e9", ["\u00e9t\u00e9", "\u00e9t\u00e9"]],
  ["Straße МОСКВА", ["straße", "москва"]],
  ["\uff21\uff22\uff11", ["ab1"]],
  ["東京タワー", ["東", "京", "タ", "ワ", "ー"]],
  ["iPhoneは新しい", ["iphone", "は", "新", "し", "い"]],
  ["हिन्दी भाषा", ["हिन्दी", "भाषा"]],
  ["ที่นี่", ["ที่", "นี่"]],
  ["한국어 텍스트", ["한국어", "텍스트"]],
  ["🎬 !?", []],
] as const)("the words of %j", ([text, words]) => {
  expect(wordsOf(text)).toEqual(words.map((word) => word.normalize("NFKC")));
});

test("n-grams are counted, and none reaches from one text into the next", () => {
  expect([...countTerms("a b a b", [1, 2])]).toEqual([
    ["a", 2],
    ["a b", 2],
    ["b", 2],
    ["b a", 1],
  ]);
  expect([...countTerms(["a b", "c"], [2, 3]).keys()]).toEqual(["a b"]);
});

test("a text as long as a library stays a bounded row", () => {
  const long = Array.from({ length: wordsMax + 5 }, (_, i) => `w${i}`).join(" ");
  expect(countTerms(long, [1, 1]).size).toBe(wordsMax);
  expect(countTerms([long, "more"], [1, 1]).has("more")).toBe(false);
});

const files = new Map([[termsFile, new TextEncoder().encode('["good","good film","film"]')]]);
const features = featuresOf({ kind: "words", dimensions: 2, ngrams: [1, 2] }, files);

test("rows are ids with 1 + ln of the counts; unknown words are left out", () => {
  const row = features?.row("Good film, bad: good!" as never);
  expect(row).toEqual({ ok: true, value: Float32Array.of(0, 1 + Math.log(2), 1, 1, 2, 1) });
  expect(features?.row("unknown" as never)).toEqual({ ok: true, value: new Float32Array(0) });
});

test("queries are texts", () => {
  expect(features?.queryRow(["good", "film"])).toEqual({ ok: true, value: Float32Array.of(0, 1, 2, 1) });
  expect(features?.queryRow(7)).toMatchObject({ ok: false, failure: { message: "the query is no text" } });
  expect(features?.queryRow(["good", 7])).toMatchObject({ ok: false });
});

test("an artefact without its range of n-grams is damaged", () => {
  for (const ngrams of [undefined, [0, 1], [2, 1], [1, 99], [1]]) {
    expect(() => featuresOf({ kind: "words", dimensions: 2, ngrams }, files)).toThrow("no range of n-grams");
  }
});
