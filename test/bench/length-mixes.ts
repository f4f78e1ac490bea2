import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Random } from "@medley/core";
import { films } from "./films.ts";

export const defaultModelDirectory = dirname(
  createRequire(import.meta.url).resolve("@medley/model-all-minilm-l6-v2/package.json"),
);
/** The model's limit. */
const tokensMax = 256;

export interface LengthMix {
  readonly name: string;
  readonly texts: readonly string[];
}

/** Texts of an exact number of tokens: words of film plots that are one token each, in the plots' order. */
export function lengthMixes(
  counts: { uniform: number; natural: number; short: number } = { uniform: 48, natural: 96, short: 192 },
): { uniform: LengthMix; natural: LengthMix; short: LengthMix } {
  const { vocab } = JSON.parse(readFileSync(join(defaultModelDirectory, "tokenizer.json"), "utf8")).model;
  const plots = films(2_000).map(({ plot }) => plot.toLowerCase());
  const words = plots
    .flatMap((plot) => plot.match(/[a-z]+/g) ?? [])
    .filter((word) => Object.hasOwn(vocab, word));
  let next = 0;
  const textOf = (tokens: number): string => {
    const own = tokens - 2; // [CLS] and [SEP].
    const from = next % (words.length - own);
    next += own;
    return words.slice(from, from + own).join(" ");
  };
  const numbers = new Random(20_231_124);
  const random = () => numbers.uniform();
  const natural = Array.from({ length: counts.natural }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.min(tokensMax, Math.max(4, Math.round(40 * Math.exp(0.9 * normal))));
  });
  return {
    uniform: { name: "128 tokens each", texts: Array.from({ length: counts.uniform }, () => textOf(128)) },
    natural: { name: "log-normal lengths (median 40)", texts: natural.map(textOf) },
    short: { name: "16 tokens each", texts: Array.from({ length: counts.short }, () => textOf(16)) },
  };
}
