import sharp from "sharp";
import { backpacks, handbags, headphones, umbrellas } from "./carried.ts";
import { chairs, lamps, mugs, teapots } from "./household.ts";
import { type Colour, disc, mix, type Pattern, paintOf } from "./paint.ts";
import { NamedRandom } from "./random.ts";
import { boots, type Shape, sneakers, sunglasses, watches } from "./worn.ts";

/** What there is: category to style to shape. */
export const shapes: Readonly<Record<string, Readonly<Record<string, Shape>>>> = {
  sneakers,
  boots,
  watches,
  sunglasses,
  handbags,
  backpacks,
  umbrellas,
  headphones,
  mugs,
  teapots,
  chairs,
  lamps,
};

/** All that decides a picture. */
export interface Look {
  readonly category: string;
  readonly style: string;
  readonly colour: Colour;
  readonly pattern: Pattern;
  /** Proportions, accents, light, viewpoint and background. */
  readonly seed: string;
}

const pixels = 224;
/** Where things stand; these are less tall than the others. */
const groundY: Readonly<Record<string, number>> = { sneakers: 176, sunglasses: 162 };
const backgrounds = ["#f4f1ec", "#e9edf1", "#f1e7dd", "#e3eae3", "#ece6ef", "#dfe3e6", "#f6f3da"];

export function svgOf(look: Look): string {
  const random = new NamedRandom(look.seed);
  const paint = paintOf(look.colour, look.pattern, random);
  const shape = shapes[look.category]?.[look.style] as Shape;
  const back = random.one(backgrounds);
  const drawn = shape(paint, random);
  const mirrored = random.uniform() < 0.35 ? "translate(240 0) scale(-1 1)" : "";
  const turn = random.between(-7, 7).toFixed(1);
  const size = random.between(0.84, 1.02);
  const [left, top] = [random.between(-9, 9), random.between(-7, 7)].map((off) => 120 * (1 - size) + off) as [
    number,
    number,
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${pixels}" height="${pixels}" viewBox="0 0 240 240"><defs>${paint.defs}
<linearGradient id="wall" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${back}"/><stop offset="1" stop-color="${mix(back, "#000000", 0.1)}"/></linearGradient></defs>
<rect width="240" height="240" fill="url(#wall)"/>
<g transform="translate(${left.toFixed(1)} ${top.toFixed(1)}) scale(${size.toFixed(3)}) rotate(${turn} 120 120) skewX(${random.between(-5, 5).toFixed(1)}) ${mirrored}">
${disc(120, groundY[look.category] ?? 207, 84, 9, "#00000022")}${drawn}</g></svg>`;
}

/** A WebP of 224 x 224. */
export async function pictureOf(look: Look): Promise<Uint8Array> {
  return sharp(Buffer.from(svgOf(look)))
    .webp({ quality: 78, effort: 6 })
    .toBuffer();
}
