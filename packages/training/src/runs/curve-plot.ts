import { strict as assert } from "node:assert";
import type { Curve } from "../trained-model.ts";
import { axisOf, placeOn, tickText } from "./axis.ts";

const signs = ["●", "○", "▲", "△", "■", "□"];

/**
 * Curves over steps for a terminal: lines of text with an axis at the left and a legend below, without colours. Between two points the
 * line is straight; where curves meet, the later one is seen. At least one curve with a point.
 */
export function curvePlot(
  curves: readonly Curve[],
  { columns = 60, rows = 12 }: { readonly columns?: number; readonly rows?: number } = {},
): string {
  assert(columns >= 2 && rows >= 2, "a plot of at least 2 by 2");
  const points = curves.flatMap((curve) => curve.points);
  const up = axisOf(
    points.map(({ value }) => value),
    Math.max(2, rows / 4),
  );
  const steps = points.map(({ step }) => step);
  const first = steps.reduce((min, step) => Math.min(min, step));
  const last = steps.reduce((max, step) => Math.max(max, step));
  const grid = Array.from({ length: rows }, () => new Array<string>(columns).fill(" "));
  const rowOf = (value: number) => Math.round((1 - placeOn(up, value)) * (rows - 1));
  for (const [of, curve] of curves.entries()) {
    for (let column = 0; column < columns; column += 1) {
      const value = valueAt(curve.points, first + ((last - first) * column) / (columns - 1));
      if (value !== null) (grid[rowOf(value)] as string[])[column] = signs[of % signs.length] as string;
    }
  }
  const labels = new Map(up.ticks.map((tick) => [rowOf(tick), tickText(tick)]));
  const margin = Math.max(...[...labels.values()].map(({ length }) => length));
  const lines = grid.map((cells, row) => {
    const label = labels.get(row);
    return `${(label ?? "").padStart(margin)} ${label === undefined ? "│" : "┤"}${cells.join("")}`.trimEnd();
  });
  const [from, to] = [tickText(first), tickText(last)];
  const indent = " ".repeat(margin + 1);
  return [
    ...lines,
    `${indent}└${"─".repeat(columns)}`,
    `${indent} ${from}${to.padStart(Math.max(to.length + 1, columns - from.length))}`,
    `${indent} ${curves.map(({ name }, of) => `${signs[of % signs.length]} ${name}`).join("  ")}`,
  ].join("\n");
}

/** Null before the first point and after the last. */
function valueAt(points: Curve["points"], step: number): number | null {
  const after = points.findIndex((point) => point.step >= step - 1e-9);
  const right = points[after];
  if (right === undefined) return null;
  const left = points[after - 1];
  if (left === undefined) return right.step - step < 1e-6 || points.length === 1 ? right.value : null;
  return left.value + ((right.value - left.value) * (step - left.step)) / (right.step - left.step);
}
