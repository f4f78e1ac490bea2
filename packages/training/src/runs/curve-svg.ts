import type { Curve } from "../trained-model.ts";
import { axisOf, placeOn, tickText } from "./axis.ts";

const [width, height] = [640, 360];
const plot = { left: 64, right: 16, top: 56, bottom: 40 };
/** Told apart by the colour-blind as well (Okabe and Ito, Color Universal Design, 2008). */
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/** Curves over steps as one SVG picture, white behind; at least one curve with a point. Further than six, colours repeat. */
export function curveSvg(title: string, curves: readonly Curve[]): string {
  const points = curves.flatMap((curve) => curve.points);
  const [steps, values] = [points.map(({ step }) => step), points.map(({ value }) => value)];
  const [across, up] = [axisOf(steps, 8), axisOf(values, 5)];
  const x = (step: number) => plot.left + placeOn(across, step) * (width - plot.left - plot.right);
  const y = (value: number) => height - plot.bottom - placeOn(up, value) * (height - plot.top - plot.bottom);
  const [left, right, bottom] = [plot.left, width - plot.right, height - plot.bottom];
  const rules = up.ticks.map(
    (tick) =>
      `<line x1="${left}" x2="${right}" y1="${at(y(tick))}" y2="${at(y(tick))}" stroke="#ddd"/>` +
      `<text x="${left - 8}" y="${at(y(tick) + 4)}" text-anchor="end">${tickText(tick)}</text>`,
  );
  const marks = across.ticks.map(
    (tick) => `<text x="${at(x(tick))}" y="${bottom + 18}" text-anchor="middle">${tickText(tick)}</text>`,
  );
  const lines = curves.map((curve, of) => {
    const path = curve.points.map(({ step, value }) => `${at(x(step))},${at(y(value))}`).join(" ");
    return `<polyline points="${path}" fill="none" stroke="${colourOf(of)}" stroke-width="2" stroke-linejoin="round"/>`;
  });
  const legend = curves.map(
    ({ name }, of) => `<tspan fill="${colourOf(of)}" dx="${of === 0 ? 0 : 16}">${escaped(name)}</tspan>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#333">
<title>${escaped(title)}</title>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${left}" y="22" font-size="14" font-weight="bold">${escaped(title)}</text>
<text x="${left}" y="42">${legend.join("")}</text>
${[...rules, ...marks, ...lines].join("\n")}
<text x="${right}" y="${height - 6}" text-anchor="end">step</text>
</svg>
`;
}

function colourOf(of: number): string {
  return colours[of % colours.length] as string;
}

function at(pixels: number): string {
  return String(Number(pixels.toFixed(1)));
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
