import { area, disc, line, type Paint } from "./paint.ts";
import type { NamedRandom } from "./random.ts";

/** Draws into a square of 240, the thing itself within about 25 to 215. */
export type Shape = (paint: Paint, random: NamedRandom) => string;

const metal = "#b9bcc2";
const cream = "#f4f2ec";

function sole(random: NamedRandom, fill: string): string {
  const thick = random.between(16, 27);
  return area(
    `M36 ${178 - thick / 2}Q36 150 52 150L190 150Q216 152 214 164Q212 ${150 + thick} 194 ${150 + thick}L52 ${150 + thick}Q36 ${150 + thick} 36 ${178 - thick / 2}Z`,
    fill,
  );
}

const laces = (colour: string, steps: readonly (readonly [x: number, y: number])[]) =>
  steps.map(([x, y]) => line(`M${x} ${y}l16 -9`, colour, 4)).join("");

const lowTop: Shape = (paint, random) => {
  const heel = random.between(92, 104);
  const upper = `M41 152L45 ${heel + 8}Q47 ${heel} 58 ${heel}L82 106Q97 114 112 100L132 112Q150 126 176 130Q207 134 209 152Z`;
  return [
    area(upper, paint.main),
    line("M70 148Q92 122 128 136", paint.accent, random.between(6, 11)),
    laces(cream, [
      [113, 115],
      [123, 121],
      [134, 127],
    ]),
    area(`M172 131Q206 134 209 152L168 152Z`, paint.accent),
    sole(random, cream),
  ].join("");
};

const highTop: Shape = (paint, random) => {
  const collar = random.between(50, 66);
  const upper = `M43 152L49 ${collar}Q72 ${collar - 9} 103 ${collar - 2}L109 98Q128 118 160 126Q205 130 209 152Z`;
  return [
    area(upper, paint.main),
    disc(74, 112, 14, 14, paint.accent),
    laces(cream, [
      [97, 76],
      [99, 90],
      [104, 104],
      [115, 115],
      [128, 123],
    ]),
    area("M164 127Q205 130 209 152L158 152Z", cream),
    sole(random, random.one([cream, paint.dark])),
  ].join("");
};

const slipOn: Shape = (paint, random) =>
  [
    area("M40 152L44 112Q46 106 58 108L84 114Q112 116 128 108Q160 116 182 128Q208 138 209 152Z", paint.main),
    area("M92 115L104 138L122 136L116 112Z", paint.accent),
    line("M44 112Q66 116 84 114Q112 116 128 108", paint.dark, 4),
    sole(random, random.one([cream, paint.accent])),
  ].join("");

const ankleBoot: Shape = (paint, random) => {
  const top = random.between(46, 70);
  return [
    area(
      `M70 ${top}L124 ${top}L126 116Q150 128 182 138Q208 147 208 170L62 170Q74 120 70 ${top}Z`,
      paint.main,
    ),
    area(`M92 ${top + 4}L112 ${top + 4}L114 128L90 128Z`, paint.accent),
    line(`M72 ${top}q-9 -12 4 -14`, paint.dark, 5),
    area("M62 170L210 170L208 180L100 180L98 196L62 196Z", paint.dark),
  ].join("");
};

const rainBoot: Shape = (paint, random) => {
  const top = random.between(26, 44);
  return [
    area(
      `M72 ${top}L136 ${top}L138 120Q160 128 186 140Q210 150 210 174L66 174Q76 110 72 ${top}Z`,
      paint.main,
    ),
    area(`M71 ${top}L137 ${top}L137 ${top + 13}L72 ${top + 13}Z`, paint.accent),
    line(`M88 ${top + 24}Q94 90 90 140`, "#ffffff88", 7),
    area("M64 174L212 174L210 190L104 190L102 198L64 198Z", paint.dark),
  ].join("");
};

const hikingBoot: Shape = (paint, random) => {
  const top = random.between(56, 72);
  const lugs = [70, 96, 122, 148, 174].map((x) => `M${x} 186h16v12h-16z`).join("");
  return [
    area(`M58 ${top}Q90 ${top - 12} 122 ${top}L126 108Q148 122 184 130Q210 138 210 166L56 166Z`, paint.main),
    line(`M60 ${top + 4}Q90 ${top - 8} 121 ${top + 4}`, paint.accent, 13),
    laces(paint.accent, [
      [112, 90],
      [114, 104],
      [122, 116],
      [136, 125],
    ]),
    area("M150 150L178 129Q210 138 210 166L56 166L56 150Z", paint.dark),
    area(`M54 166L212 166L210 188L56 188Z${lugs}`, "#2f2d2b"),
  ].join("");
};

const strap = (paint: Paint, width: number, holes: boolean) =>
  [
    area(`M${120 - width / 2} 22H${120 + width / 2}L${122 + width / 2} 90H${118 - width / 2}Z`, paint.main),
    area(`M${118 - width / 2} 150H${122 + width / 2}L${118 + width / 2} 220H${122 - width / 2}Z`, paint.main),
    holes ? [176, 188, 200].map((y) => disc(120, y, 2.6, 2.6, paint.dark)).join("") : "",
  ].join("");

function hands(random: NamedRandom, colour: string): string {
  const [hour, minute] = [random.between(0, 6.28), random.between(0, 6.28)];
  const to = (angle: number, length: number) =>
    `M120 120L${(120 + length * Math.sin(angle)).toFixed(1)} ${(120 - length * Math.cos(angle)).toFixed(1)}`;
  return `${line(to(hour, 21), colour, 5)}${line(to(minute, 32), colour, 3)}${disc(120, 120, 4, 4, colour)}`;
}

const marks = (radius: number, colour: string) =>
  Array.from({ length: 12 }, (_, at) => (at * Math.PI) / 6)
    .map((angle) => disc(120 + radius * Math.sin(angle), 120 - radius * Math.cos(angle), 2.4, 2.4, colour))
    .join("");

const roundWatch: Shape = (paint, random) => {
  const radius = random.between(44, 54);
  const [dial, ink] = random.one([
    [cream, "#2b2b30"],
    ["#26282e", cream],
  ] as const);
  return [
    strap(paint, random.between(40, 52), true),
    area(`M${118 + radius} 112h12v16h-12z`, metal),
    disc(120, 120, radius, radius, metal),
    disc(120, 120, radius - 7, radius - 7, dial),
    marks(radius - 13, ink),
    hands(random, ink),
  ].join("");
};

const squareWatch: Shape = (paint, random) => {
  const half = random.between(40, 48);
  const box = (inset: number, corner: number, fill: string) =>
    `<rect x="${120 - half + inset}" y="${120 - half + inset}" width="${2 * (half - inset)}" height="${2 * (half - inset)}" rx="${corner}" fill="${fill}"/>`;
  return [
    strap(paint, random.between(46, 58), false),
    box(0, 14, random.one([metal, "#c9a45c", "#35373d"])),
    box(7, 9, random.one([cream, "#1f2126"])),
    hands(random, paint.flat),
  ].join("");
};

const roundGlasses: Shape = (paint, random) =>
  glasses(paint, random, (x, half) => {
    return `M${x - half} 122a${half} ${half} 0 1 0 ${2 * half} 0a${half} ${half} 0 1 0 ${-2 * half} 0Z`;
  });
const squareGlasses: Shape = (paint, random) =>
  glasses(paint, random, (x, half) => {
    return `M${x - half} 96Q${x} 88 ${x + half} 96L${x + half - 5} 140Q${x} 156 ${x - half + 5} 140Z`;
  });
const catEyeGlasses: Shape = (paint, random) =>
  glasses(paint, random, (x, half) => {
    const out = x < 120 ? -1 : 1;
    return `M${x - out * half} 104Q${x} 96 ${x + out * (half + 14)} 84Q${x + out * (half + 4)} 146 ${x} 148Q${x - out * half} 144 ${x - out * half} 104Z`;
  });

function glasses(paint: Paint, random: NamedRandom, lens: (x: number, half: number) => string): string {
  const half = random.between(36, 42);
  const tint = random.one(["#2b2f36", "#4a3b2f", "#3b4a63", "#58636b"]);
  const frame = random.between(8, 13);
  return [
    line("M32 104Q26 84 40 70", paint.dark, 7),
    line("M208 104Q214 84 200 70", paint.dark, 7),
    ...[72, 168].map((x) => `${area(lens(x, half), tint)}${line(lens(x, half), paint.main, frame)}`),
    line("M108 110Q120 100 132 110", paint.main, frame),
    line("M52 112l14 -10", "#ffffff99", 5),
    line("M148 112l14 -10", "#ffffff99", 5),
  ].join("");
}

export const sneakers = { "low-top": lowTop, "high-top": highTop, "slip-on": slipOn };
export const boots = { "ankle boot": ankleBoot, "rain boot": rainBoot, "hiking boot": hikingBoot };
export const watches = { "round watch": roundWatch, "square watch": squareWatch };
export const sunglasses = {
  "round sunglasses": roundGlasses,
  "square sunglasses": squareGlasses,
  "cat-eye sunglasses": catEyeGlasses,
};
