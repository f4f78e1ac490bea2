import { type Collection, checkConfig, type Series } from "@medley/core";
import type { TrainingRecord } from "@medley/training";
import { expect, test } from "vitest";
import { futureValues, partRecords } from "./part-records.ts";

const [collection] = checkConfig({
  collections: {
    days: {
      fields: { readings: "series", next: "series" },
      spaces: { course: { encoder: "nlinear", field: "readings", dimensions: 8 } },
      tasks: { next: { kind: "forecasting", label: "next", after: "readings" } },
    },
  },
}) as [Collection];

/** A label of 3 steps; the next record's begins one later, so each reaches into the two that follow. */
function records(isTimed: boolean): TrainingRecord[] {
  return Array.from({ length: 80 }, (_, n) => {
    const next: Series = { times: isTimed ? [n, n + 1, n + 2] : null, values: [[n], [n + 1], [n + 2]] };
    return {
      id: `d${n}`,
      fields: { readings: { times: null, values: [[n]] }, next: n === 79 ? null : next },
    };
  });
}

const idsOf = (of: readonly TrainingRecord[], rows: Int32Array) =>
  Array.from(rows, (row) => Number(of[row]?.id.slice(1)));

test("with times the oldest train and the newest test, without what nobody can place", () => {
  const parted = partRecords(records(true).reverse(), collection, 1);
  expect(parted.by).toBe("time");
  expect(parted.records).toHaveLength(79);
  const [train, validation, held] = (["train", "validation", "test"] as const).map((part) =>
    idsOf(parted.records, parted.split[part]),
  ) as [number[], number[], number[]];
  expect(Math.max(...train)).toBeLessThan(Math.min(...validation));
  expect(Math.max(...validation)).toBeLessThan(Math.min(...held));
});

test("a label that reaches into the next part is none: it would lend what is asked for", () => {
  const parted = partRecords(records(true), collection, 1);
  const values = futureValues(parted, "next");
  const without = parted.records.filter((_, row) => values[row] === null).map(({ id }) => id);
  const { validation, test: held } = parted.split;
  const borders = [validation, held].map((rows) => Math.min(...idsOf(parted.records, rows)));
  expect(without).toEqual(borders.flatMap((first) => [`d${first - 2}`, `d${first - 1}`]));
});

test("without times records are parted as for other tasks, and every label counts", () => {
  const parted = partRecords(records(false), collection, 1);
  expect(parted.by).toBe("content");
  expect(parted.records).toHaveLength(80);
  expect(futureValues(parted, "next").filter((value) => value === null)).toHaveLength(1);
});
