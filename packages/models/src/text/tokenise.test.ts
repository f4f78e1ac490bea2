import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readTextModel } from "../artefact/text-model.ts";
import { splitRows } from "../runtime/rows.ts";
import { TextTokenizer, tokenise } from "./tokenise.ts";

const model = await readTextModel("all-MiniLM-L6-v2", {});
const definition = JSON.parse(readFileSync(model.tokenizer.path, "utf8"));
const tokenizer = new TextTokenizer(model, definition);

/** Made by infra/default-model/reference_ids.py. */
const cases = readFileSync(new URL("./reference-ids.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as { text: string; times: number; ids: string });
const specialOnly = "101 102";

test(`ids equal those of Hugging Face's own tokenizer, for ${cases.length} odd strings`, () => {
  expect(cases.length).toBeGreaterThanOrEqual(200);
  for (const { text, times, ids } of cases) {
    const got = tokenizer.encode(text.repeat(times), "").join(" ");
    expect(got, JSON.stringify(text.slice(0, 80))).toBe(ids === specialOnly ? "" : ids);
  }
});

/** Of every code point, by Hugging Face's own tokenizer: `first last fate` in hexadecimal; the others stay in a word. */
const fates = readFileSync(new URL("./bert-code-points.txt", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => line.split(" ") as [string, string, "dropped" | "space" | "alone"])
  .map(([first, last, fate]) => ({
    first: Number.parseInt(first, 16),
    last: Number.parseInt(last, 16),
    fate,
  }));

test("every character of Unicode is dropped, a space, a word or part of one, as Hugging Face's own tokenizer has it", () => {
  // With a vocabulary of two letters and their join, the ids tell the fate. 0 is [UNK].
  const vocab = { "[UNK]": 0, "[CLS]": 1, "[SEP]": 2, a: 3, b: 4, ab: 5 };
  const tiny = { ...definition, added_tokens: [], model: { ...definition.model, vocab } };
  const read = new TextTokenizer({ ...model, vocabularySize: 6 }, tiny);
  const idsOf = { dropped: "1 5 2", space: "1 3 4 2", alone: "1 3 0 4 2", stays: "1 0 2" };
  const wrong: string[] = [];
  let next = 0;
  let checked = 0;
  for (let code = 0; code < 0x110000; code++) {
    if (code >= 0xd800 && code < 0xe000) continue;
    while (fates[next] !== undefined && code > (fates[next]?.last as number)) next++;
    const at = fates[next];
    const fate = at !== undefined && code >= at.first ? at.fate : "stays";
    const letter = /^[ab]$/i.test(
      String.fromCodePoint(code)
        .normalize("NFD")
        .replace(/\p{Mn}/gu, ""),
    );
    if (letter || (code % 16 !== 0 && code > 0x20000 && code < 0xe0000)) continue; // Han and unassigned: a sample.
    checked++;
    if (read.encode(`a${String.fromCodePoint(code)}b`, "").join(" ") !== idsOf[fate])
      wrong.push(code.toString(16));
  }
  expect(wrong).toEqual([]);
  expect(checked).toBeGreaterThan(250_000);
});

test("a cut text keeps its special tokens and its first tokens", () => {
  const words = Array.from({ length: 5_000 }, (_, index) => `word${index % 97},`).join(" ");
  const cut = tokenizer.encode(words, "");
  const whole = new TextTokenizer({ ...model, tokensMax: 100_000 }, definition).encode(words, "");
  expect(whole.length).toBeGreaterThan(10_000);
  expect(cut).toEqual([...whole.slice(0, 255), 102]);
});

const words = [
  "a",
  "international",
  "don't",
  "supercalifragilistic",
  "x".repeat(120),
  "été,",
  "漢字",
  "[SEP]",
];
const spaces = [" ", "\n", "  ", "\t \r"];

test("reading a text only as far as it matters gives its first tokens, wherever it is cut", () => {
  const parts = fc.array(fc.tuple(fc.constantFrom(...words), fc.constantFrom(...spaces)), { maxLength: 40 });
  const whole = new TextTokenizer({ ...model, tokensMax: 100_000 }, definition);
  fc.assert(
    fc.property(parts, fc.integer({ min: 3, max: 20 }), (pairs, tokensMax) => {
      const text = pairs.flat().join("");
      const all = whole.encode(text, "");
      const expected = all.length <= tokensMax ? all : [...all.slice(0, tokensMax - 1), 102];
      expect(new TextTokenizer({ ...model, tokensMax }, definition).encode(text, "")).toEqual(expected);
    }),
    { numRuns: 30 }, // Each makes a tokenizer.
  );
});

test("a prompt comes before the text, and does not make an empty text say something", () => {
  expect(tokenizer.encode("bread", "query: ")).toEqual(tokenizer.encode("query: bread", ""));
  expect(tokenizer.encode(" \n", "query: ")).toEqual([]);
});

test("half a surrogate pair is no token, and no fault", () => {
  expect(tokenizer.encode("\ud83d", "")).toEqual([]);
  expect(tokenizer.encode("film \ud83d\ud83d food\udc00", "")).toEqual(tokenizer.encode("film food", ""));
});

test("lower case first, where the model asks for it", () => {
  const cased = { ...definition, normalizer: { ...definition.normalizer, lowercase: false } };
  expect(new TextTokenizer(model, cased).encode("FOOD", "")).not.toEqual(tokenizer.encode("food", ""));
  const lowered = new TextTokenizer({ ...model, lowerCase: true }, cased);
  expect(lowered.encode("[SEP] FOOD ΣΑΣ", "")).toEqual(tokenizer.encode("[SEP] food σασ", ""));
});

test("an id out of the vocabulary fails its text alone", () => {
  const small = new TextTokenizer({ ...model, vocabularySize: 2_834 }, definition); // "food" is 2833, "bread" 7852.
  const answer = tokenise(small, ["food", "bread", "food"], "", { countsPrompt: false });
  expect(answer.failures).toMatchObject([
    {
      index: 1,
      message: `the tokenizer of ${model.name} gave the id 7852`,
      mend: expect.stringContaining("2834 ids"),
    },
  ]);
  expect(splitRows(answer).map((ids) => [...ids])).toEqual([[101, 2833, 102], [], [101, 2833, 102]]);
});
