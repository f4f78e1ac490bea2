import fc from "fast-check";
import { expect, test } from "vitest";
import { axisOf, tickText } from "./axis.ts";
import { curvePlot } from "./curve-plot.ts";
import { curveSvg } from "./curve-svg.ts";
import { curveTsv, parseCurveTsv } from "./dvclive.ts";

const curveOf = (name: string, values: readonly number[]) => ({
  name,
  points: values.map((value, step) => ({ step, value })),
});

test("an axis has round ticks that span all values, a few of them", () => {
  expect(axisOf([0.02, 0.98], 5).ticks).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(axisOf([3, 3], 5)).toMatchObject({ min: 1, max: 5 });
  expect(axisOf([0, 0], 2).ticks).toEqual([-0.5, 0, 0.5]);
  expect(axisOf([5e-324], 2).ticks).toEqual([-0.5, 0, 0.5]);
  const values = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(values, fc.integer({ min: 2, max: 9 }), (of, about) => {
      const { min, max, ticks } = axisOf(of, about);
      const slack = 1e-6 * (max - min);
      expect(min - slack).toBeLessThanOrEqual(Math.min(...of));
      expect(max + slack).toBeGreaterThanOrEqual(Math.max(...of));
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(about + 3);
    }),
  );
});

test("ticks are written short", () => {
  expect([0, 0.25, 1200, 3e-7, 1e8, -2.5].map(tickText)).toEqual([
    "0",
    "0.25",
    "1,200",
    "3e-7",
    "1e8",
    "-2.5",
  ]);
});

test("a terminal plot: the first curve falls, the second rises above it, with both in the legend", () => {
  const plot = curvePlot([curveOf("train/loss", [1, 0.5, 0]), curveOf("validation/loss", [0.5, 0.75, 1])], {
    columns: 21,
    rows: 5,
  });
  expect(plot).toBe(
    [
      "  1 ┤●●●             ○○○○○",
      "    │   ●●●○○○○○○○○○○",
      "0.5 ┤○○○○○○  ●●●●●",
      "    │             ●●●●●",
      "  0 ┤                  ●●●",
      "    └─────────────────────",
      "     0                   2",
      "     ● train/loss  ○ validation/loss",
    ].join("\n"),
  );
});

test("a single point, and values that are all the same, have a plot", () => {
  for (const values of [[2], [2, 2, 2]]) {
    expect(curvePlot([curveOf("loss", values)])).toContain("●");
    expect(curveSvg("loss", [curveOf("loss", values)])).not.toContain("NaN");
  }
});

test("an SVG picture has a line per curve inside its frame, and names that can't break it", () => {
  const svg = curveSvg("loss", [curveOf("a<b", [1, 0.5, 3e-4]), curveOf("c&d", [0.2, 0.3])]);
  const lines = [...svg.matchAll(/points="([^"]+)"/g)].map(([, points]) => points as string);
  expect(lines.map((line) => line.split(" ").length)).toEqual([3, 2]);
  for (const pixel of lines.join(" ").split(" ")) {
    const [x, y] = pixel.split(",").map(Number) as [number, number];
    expect(x >= 64 && x <= 624 && y >= 56 && y <= 320).toBe(true);
  }
  expect(svg).toContain("a&#60;b");
  expect(svg).not.toMatch(/a<b|c&d/);
  expect(svg).not.toContain("NaN");
});

test("a curve's file is read again exactly, and DVCLive's own with a column of times", () => {
  const curve = curveOf("train/loss", [1 / 3, 1e-12, 5]);
  expect(parseCurveTsv("train/loss", curveTsv(curve))).toEqual(curve);
  const text = "timestamp\tstep\tloss\n1700000000000\t0\t0.5\n1700000001000\t1\t0.25\n";
  expect(parseCurveTsv("train/loss", text).points).toEqual([
    { step: 0, value: 0.5 },
    { step: 1, value: 0.25 },
  ]);
  for (const damaged of ["", "step\tloss\n0\t0.5\n1", "step\tother\n0\t1\n"]) {
    expect(() => parseCurveTsv("train/loss", damaged)).toThrow(SyntaxError);
  }
});
