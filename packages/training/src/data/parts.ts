import { MedleyError } from "@medley/core";

/** What a split looks at; what a row holds stays with the caller. */
export interface SplitRow {
  readonly id: string;
  /** Rows of a group belong together: reviews of one film, purchases of one user. */
  readonly group?: string;
  /** Since the epoch, in ms. */
  readonly timeMs?: number;
  /** Of a class target: each part gets the same share of every class, as far as whole rows go. */
  readonly class?: string;
}

/** Row numbers, rising in each part; every row is in exactly one. */
export interface Split {
  readonly train: Int32Array;
  readonly validation: Int32Array;
  readonly test: Int32Array;
}

export const splitParts = ["train", "validation", "test"] as const;
export type SplitPart = (typeof splitParts)[number];

/**
 * Throws `training_data_invalid` where an id, or a group, is in two parts: what a model has seen in training it need not have learned.
 * Says how many are and names the first, of ids before groups.
 */
export function checkLeaks(rows: readonly SplitRow[], split: Split): void {
  refuse(
    "id",
    leaksOf(rows, split, ({ id }) => id),
  );
  refuse(
    "group",
    leaksOf(rows, split, ({ group }) => group),
  );
}

interface Leak {
  readonly key: string;
  readonly parts: readonly [SplitPart, SplitPart];
}

/** One leak per key, in the order in which they are met. */
function leaksOf(
  rows: readonly SplitRow[],
  split: Split,
  keyOf: (row: SplitRow) => string | undefined,
): readonly Leak[] {
  const seen = new Map<string, SplitPart>();
  const leaks = new Map<string, Leak>();
  for (const part of splitParts) {
    for (const number of split[part]) {
      const key = keyOf(rows[number] as SplitRow);
      if (key === undefined) continue;
      const before = seen.get(key);
      if (before === undefined) seen.set(key, part);
      else if (before !== part && !leaks.has(key)) leaks.set(key, { key, parts: [before, part] });
    }
  }
  return [...leaks.values()];
}

function refuse(what: "id" | "group", leaks: readonly Leak[]): void {
  const [first] = leaks;
  if (first === undefined) return;
  const plural = leaks.length === 1 ? what : `${what}s`;
  const message = `${leaks.length} ${plural} in two parts of the split, first "${first.key}" in ${first.parts[0]} and ${first.parts[1]}`;
  const mend =
    what === "id"
      ? "let each id be one row, or split by group with the id as the group"
      : "split by group, or leave the group out where it may be on both sides";
  throw new MedleyError("training_data_invalid", message, { mend });
}
