import type { Curve } from "../trained-model.ts";
import { axisOf, placeOn, tickText } from "./axis.ts";
import { at, colourOf, escaped, svgPicture } from "./svg.ts";

const [width, height] = [640, 360];
const plot = { left: 64, right: 16, top: 56, bottom: 40 };

/** Curves over steps as one SVG picture, white behind; at least one curve with a point. Further than six, colours repeat. `across`: what steps are. */
export function curveSvg(title: string, curves: readonly Curve[], across = "step"): string {
  const points = curves.flatMap((curve) => curve.points);
  const [steps, values] = [points.map(({ step }) => step), points.map(({ value }) => value)];
  const [along, up] = [axisOf(steps, 8), axisOf(values, 5)];
  const x = (step: number) => plot.left + placeOn(along, step) * (width - plot.left - plot.right);
  const y = (value: number) => height - plot.bottom - placeOn(up, value) * (height - plot.top - plot.bottom);
  const [left, right, bottom] = [plot.left, width - plot.right, height - plot.bottom];
  const rules = up.ticks.map(
    (tick) =>
      `<line x1="${left}" x2="${right}" y1="${at(y(tick))}" y2="${at(y(tick))}" stroke="#ddd"/>` +
      `<text x="${left - 8}" y="${at(y(tick) + 4)}" text-anchor="end">${tickText(tick)}</text>`,
  );
  const marks = along.ticks.map(
    (tick) => `<text x="${at(x(tick))}" y="${bottom + 18}" text-anchor="middle">${tickText(tick)}</text>`,
  );
  const lines = curves.map((curve, of) => {
    const path = curve.points.map(({ step, value }) => `${at(x(step))},${at(y(value))}`).join(" ");
    return `<polyline points="${path}" fill="none" stroke="${colourOf(of)}" stroke-width="2" stroke-linejoin="round"/>`;
  });
  const legend = curves.map(
    ({ name }, of) => `<tspan fill="${colourOf(of)}" dx="${of === 0 ? 0 : 16}">${escaped(name)}</tspan>`,
  );
  const parts = [
    `<text x="${left}" y="42">${legend.join("")}</text>`,
    ...[...rules, ...marks, ...lines],
    `<text x="${right}" y="${height - 6}" text-anchor="end">${escaped(across)}</text>`,
  ];
  return svgPicture({ title, width, height, left }, parts);
}
