import { axisOf, placeOn, tickText } from "./axis.ts";
import { at, colourOf, escaped, svgPicture } from "./svg.ts";

/** A figure with its interval, a line of the picture. */
export interface IntervalRow {
  readonly name: string;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Drawn in another colour. */
  readonly isChosen: boolean;
}

const width = 720;
const plot = { left: 280, right: 16, top: 40, bottom: 36 };
const rowHeight = 24;

/** Intervals below each other on one axis, with a dashed line at `baseline`; at least one row. */
export function intervalSvg(title: string, rows: readonly IntervalRow[], baseline: number): string {
  const height = plot.top + rows.length * rowHeight + plot.bottom;
  const axis = axisOf([baseline, ...rows.flatMap(({ low, high }) => [low, high])], 6);
  const x = (value: number) => at(plot.left + placeOn(axis, value) * (width - plot.left - plot.right));
  const bottom = height - plot.bottom;
  const marks = axis.ticks.map(
    (tick) =>
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="${plot.top}" y2="${bottom}" stroke="#ddd"/>` +
      `<text x="${x(tick)}" y="${bottom + 18}" text-anchor="middle">${tickText(tick)}</text>`,
  );
  const lines = rows.map(({ name, mean, low, high, isChosen }, row) => {
    const y = at(plot.top + (row + 0.5) * rowHeight);
    const colour = colourOf(isChosen ? 1 : 0);
    return (
      `<text x="${plot.left - 12}" y="${y}" dy="4" text-anchor="end"${isChosen ? ' font-weight="bold"' : ""}>${escaped(name)}</text>` +
      `<line x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="3"/>` +
      `<circle cx="${x(mean)}" cy="${y}" r="5" fill="${colour}"/>`
    );
  });
  const base = `<line x1="${x(baseline)}" x2="${x(baseline)}" y1="${plot.top}" y2="${bottom}" stroke="#333" stroke-dasharray="4 3"/>`;
  return svgPicture({ title, width, height, left: 16 }, [...marks, base, ...lines]);
}
