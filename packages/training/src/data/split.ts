import { strict as assert } from "node:assert";
import { MedleyError, Random } from "@medley/core";
import { checkLeaks, type Split, type SplitPart, type SplitRow, splitParts } from "./parts.ts";

export type SplitBy = "random" | "group" | "time";

/** Shares of the rows, which add up to 1; a part may be 0 but for `train`. */
export interface SplitShares {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

export interface SplitOptions {
  readonly by: SplitBy;
  readonly shares: SplitShares;
  readonly seed: number;
}

/**
 * Parts a data set for training, choosing settings, and one last test; the same rows and seed give the same parts.
 * `random`: every row by itself, stratified where rows have a class. `group`: whole groups, the largest first, each to the part that
 * lacks most of its classes (stratified as far as groups allow). `time`: the oldest rows train, the newest test; rows of the same
 * moment stay together, so parts may be off by those. Neither an id nor a group may come to lie in two parts: throws
 * `training_data_invalid` where it would, where a part that has a share gets no row, and where a row lacks what it is split by.
 */
export function splitRows(rows: readonly SplitRow[], options: SplitOptions): Split {
  const { shares, by } = options;
  const sum = shares.train + shares.validation + shares.test;
  assert(Math.abs(sum - 1) < 1e-9, "shares add up to 1");
  assert(shares.train > 0 && shares.validation >= 0 && shares.test >= 0, "shares are not negative");
  const partOf = splitters[by](rows, options);
  const [train, validation, test] = splitParts.map((part) => numbersOf(partOf, part)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const split = { train, validation, test };
  for (const part of splitParts) {
    if (shares[part] === 0 || split[part].length > 0) continue;
    throw new MedleyError(
      "training_data_invalid",
      `${rows.length} rows split by ${by} leave none for ${part} (share ${shares[part]})`,
      { mend: "give more rows or groups, or the part a larger share" },
    );
  }
  checkLeaks(rows, split);
  return split;
}

const splitters: Record<SplitBy, (rows: readonly SplitRow[], options: SplitOptions) => SplitPart[]> = {
  random: splitAtRandom,
  group: splitByGroup,
  time: splitByTime,
};

function splitAtRandom(rows: readonly SplitRow[], { shares, seed }: SplitOptions): SplitPart[] {
  const partOf = new Array<SplitPart>(rows.length);
  const random = new Random(seed);
  const byClass = gather(rows, ({ class: of }) => of ?? "");
  // What a class's rows leave over when they are parted counts for the next class, so that small ones add up.
  const owed = { train: 0, validation: 0, test: 0 };
  for (const name of [...byClass.keys()].sort()) {
    const members = random.shuffle(byClass.get(name) as number[]);
    const counts = wholeCounts(members.length, shares, owed);
    let next = 0;
    for (const part of splitParts) {
      for (const end = next + counts[part]; next < end; next += 1) partOf[members[next] as number] = part;
    }
  }
  return partOf;
}

/** Rows per part, `count` in all: the whole part of what is due, and one more where most is owed. */
function wholeCounts(
  count: number,
  shares: SplitShares,
  owed: Record<SplitPart, number>,
): Record<SplitPart, number> {
  const counts = { train: 0, validation: 0, test: 0 };
  for (const part of splitParts) {
    owed[part] += count * shares[part];
    counts[part] = Math.max(0, Math.floor(owed[part] + 1e-9));
  }
  let left = count - counts.train - counts.validation - counts.test;
  const lacking = (part: SplitPart) => owed[part] - counts[part];
  for (; left > 0; left -= 1) {
    const neediest = splitParts.reduce((most, part) => (lacking(part) > lacking(most) + 1e-9 ? part : most));
    counts[neediest] += 1;
  }
  for (; left < 0; left += 1) {
    const richest = splitParts.reduce((most, part) => (counts[part] > counts[most] ? part : most));
    counts[richest] -= 1;
  }
  for (const part of splitParts) owed[part] -= counts[part];
  return counts;
}

function splitByGroup(rows: readonly SplitRow[], { shares, seed }: SplitOptions): SplitPart[] {
  const groups = gather(rows, ({ group, id }) => group ?? lacks("a group", id));
  const names = new Random(seed).shuffle([...groups.keys()].sort());
  names.sort((a, b) => (groups.get(b) as number[]).length - (groups.get(a) as number[]).length);
  const classCounts = new Map<string, number>();
  for (const { class: of = "" } of rows) classCounts.set(of, (classCounts.get(of) ?? 0) + 1);
  const held = { train: new Map<string, number>(), validation: new Map(), test: new Map() } as const;
  const partOf = new Array<SplitPart>(rows.length);
  for (const name of names) {
    const members = groups.get(name) as number[];
    // What a part lacks of each class, in shares of the class, so that a rare class weighs as much as a common one.
    const lackOf = (part: SplitPart) =>
      members.reduce((sum, row) => {
        const of = rows[row]?.class ?? "";
        const due = shares[part] * (classCounts.get(of) as number);
        return sum + (due === 0 ? -1 : (due - (held[part].get(of) ?? 0)) / due);
      }, 0);
    const lacks = { train: lackOf("train"), validation: lackOf("validation"), test: lackOf("test") };
    const part = splitParts.reduce((most, other) => (lacks[other] > lacks[most] ? other : most));
    for (const row of members) {
      partOf[row] = part;
      const of = rows[row]?.class ?? "";
      held[part].set(of, (held[part].get(of) ?? 0) + 1);
    }
  }
  return partOf;
}

function splitByTime(rows: readonly SplitRow[], { shares }: SplitOptions): SplitPart[] {
  const times = rows.map(({ timeMs, id }) =>
    Number.isFinite(timeMs) ? (timeMs as number) : lacks("a time", id),
  );
  const sorted = Float64Array.from(times).sort();
  // A cut is the time of the first row behind it: equal times fall on one side.
  const cut = (share: number) => sorted[Math.round(share * sorted.length)] ?? Number.POSITIVE_INFINITY;
  const [validationFrom, testFrom] = [cut(shares.train), cut(shares.train + shares.validation)];
  return times.map((time) => (time < validationFrom ? "train" : time < testFrom ? "validation" : "test"));
}

function numbersOf(partOf: readonly SplitPart[], part: SplitPart): Int32Array {
  return Int32Array.from(partOf.flatMap((of, row) => (of === part ? [row] : [])));
}

function gather(rows: readonly SplitRow[], keyOf: (row: SplitRow) => string): Map<string, number[]> {
  const members = new Map<string, number[]>();
  for (const [number, row] of rows.entries()) {
    const key = keyOf(row);
    const list = members.get(key);
    if (list === undefined) members.set(key, [number]);
    else list.push(number);
  }
  return members;
}

function lacks(what: string, id: string): never {
  throw new MedleyError("training_data_invalid", `the row "${id}" lacks ${what} to be split by`, {
    mend: `give every row ${what}, or split at random`,
  });
}
