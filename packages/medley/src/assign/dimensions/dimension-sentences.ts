import type { DimensionSplit, SpaceShare } from "@medley/training";
import { figure } from "../sentences.ts";

/** `pca`; what stays as it is has no way. */
export function wayOf({ by }: SpaceShare): string {
  return by ?? "-";
}

/** What is lost by as many dimensions, on queries that took no part in the choice. */
export function lossSentence({ from, to, loss, queries }: DimensionSplit): string {
  const { mean, low, high } = loss.test;
  return (
    `of recall@10, ${figure(loss.validation)} are lost by ${to} of ${from} dimensions on the queries that chose, and on ${queries} others ` +
    `${figure(mean)} (${figure(low)} to ${figure(high)}): ${((1e4 * mean) / (from - to)).toFixed(2)} of 10,000 per dimension saved`
  );
}

export function shareSentence(place: string, { from, to, by }: SpaceShare, isWritten: boolean): string {
  if (by === null) return `${place}: stays with ${from} dimensions`;
  return `${place}: ${isWritten ? "from now on" : "would have"} ${to} dimensions by ${by}, of ${from}`;
}
