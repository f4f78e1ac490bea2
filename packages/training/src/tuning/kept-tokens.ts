import { strict as assert } from "node:assert";
import type { Random } from "@medley/core";
import type { TokenRow } from "./text-backbone.ts";

/**
 * The places of `count` tokens of a row, rising: the prompt, the first and the last token always, of the others as many as there
 * is room for, at random. Null where all of them are kept.
 *
 * Blocks that are trained on some tokens of each text cost as much less, and see other tokens of it in each epoch; a mean over
 * those is an estimate of the mean over all, which is what serves (Hou et al. 2022, Token Dropping for Efficient BERT Pretraining).
 */
export function keptTokens({ ids, skipped }: TokenRow, count: number, random: Random): Int32Array | null {
  const fixed = skipped + 2;
  assert(count >= fixed, `at least ${fixed} tokens are kept`);
  if (ids.length <= count) return null;
  const between = Int32Array.from({ length: ids.length - fixed }, (_, at) => skipped + 1 + at);
  // The first of Fisher and Yates' shuffle: the rest is not looked at.
  const drawn = count - fixed;
  for (let at = 0; at < drawn; at += 1) {
    const other = at + random.below(between.length - at);
    [between[at], between[other]] = [between[other] as number, between[at] as number];
  }
  const start = Int32Array.from({ length: skipped + 1 }, (_, at) => at);
  const middle = between.subarray(0, drawn).sort();
  return Int32Array.of(...start, ...middle, ids.length - 1);
}
