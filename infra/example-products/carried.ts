import { area, disc, line } from "./paint.ts";
import type { Shape } from "./worn.ts";

const metal = "#c0b283";

const tote: Shape = (paint, random) => {
  const wide = random.between(62, 76);
  const top = random.between(92, 104);
  return [
    line(`M84 ${top + 6}Q88 38 120 38Q152 38 156 ${top + 6}`, paint.dark, 8),
    area(`M${120 - wide} ${top}H${120 + wide}L${110 + wide} 204H${130 - wide}Z`, paint.main),
    line(`M${122 - wide} ${top + 4}H${118 + wide}`, paint.accent, 8),
    line(`M86 ${top + 10}V${top + 34}M154 ${top + 10}V${top + 34}`, paint.dark, 8),
  ].join("");
};

const satchel: Shape = (paint, random) => {
  const flap = random.between(132, 156);
  return [
    line("M44 100Q60 26 120 26Q180 26 196 100", paint.dark, 7),
    area("M40 96Q40 84 54 84H186Q200 84 200 96V186Q200 198 186 198H54Q40 198 40 186Z", paint.main),
    area(`M40 96Q40 84 54 84H186Q200 84 200 96L192 ${flap}Q120 ${flap + 22} 48 ${flap}Z`, paint.flat),
    line(`M48 ${flap}Q120 ${flap + 22} 192 ${flap}`, paint.dark, 3),
    area(`M110 ${flap - 8}h20v34h-20z`, metal),
  ].join("");
};

const bucketBag: Shape = (paint, random) => {
  const top = random.between(84, 98);
  return [
    line(`M70 ${top + 4}Q120 8 170 ${top + 4}`, paint.dark, 7),
    area(`M62 ${top}H178L190 180Q190 204 166 204H74Q50 204 50 180Z`, paint.main),
    disc(120, top, 58, 11, paint.dark),
    line(`M66 ${top + 22}H174`, paint.accent, 5),
    line(`M112 ${top + 22}l-8 34M128 ${top + 22}l8 34`, paint.accent, 5),
  ].join("");
};

const daypack: Shape = (paint, random) => {
  const wide = random.between(52, 62);
  return [
    line("M104 44Q104 22 120 22Q136 22 136 44", paint.dark, 8),
    line(`M${124 - wide} 84Q${100 - wide} 130 ${122 - wide} 186`, paint.dark, 12),
    line(`M${116 + wide} 84Q${140 + wide} 130 ${118 + wide} 186`, paint.dark, 12),
    area(
      `M${120 - wide} 96Q${120 - wide} 40 120 40Q${120 + wide} 40 ${120 + wide} 96V192Q${120 + wide} 208 ${104 + wide} 208H${136 - wide}Q${120 - wide} 208 ${120 - wide} 192Z`,
      paint.main,
    ),
    line(`M${126 - wide} 104Q120 84 ${114 + wide} 104`, paint.accent, 5),
    area(`M82 132Q82 124 90 124H150Q158 124 158 132V190H82Z`, paint.accent),
    line("M90 142H150", paint.dark, 4),
  ].join("");
};

const rollTop: Shape = (paint, random) => {
  const roll = random.between(42, 56);
  return [
    line("M62 96Q36 140 62 192", paint.dark, 11),
    line("M178 96Q204 140 178 192", paint.dark, 11),
    area("M66 64H174L180 196Q180 208 168 208H72Q60 208 60 196Z", paint.main),
    area(`M60 ${roll}H180Q188 ${roll + 14} 180 ${roll + 28}H60Q52 ${roll + 14} 60 ${roll}Z`, paint.flat),
    line(`M62 ${roll + 14}H178`, paint.dark, 4),
    line(`M120 ${roll}V164`, paint.accent, 10),
    area("M108 146h24v20h-24z", "#3a3a40"),
  ].join("");
};

const openUmbrella: Shape = (paint, random) => {
  const rim = random.between(112, 126);
  const scallops = [30, 75, 120, 165].map((x) => `Q${x + 22.5} ${rim - 18} ${x + 45} ${rim}`);
  return [
    line(`M120 ${rim - 20}V188Q120 206 104 206Q90 206 90 192`, random.one(["#6b4a2f", "#2b2b30"]), 8),
    area(`M30 ${rim}${scallops.join("")}Q206 34 120 32Q34 34 30 ${rim}Z`, paint.main),
    line(`M120 32Q78 60 75 ${rim}M120 32V${rim}M120 32Q162 60 165 ${rim}`, paint.dark, 2.5),
    line("M120 32V20", paint.dark, 6),
  ].join("");
};

const foldedUmbrella: Shape = (paint, random) => {
  const wide = random.between(17, 24);
  return [
    line("M120 62V36Q120 22 134 22Q148 22 148 36V44", random.one(["#6b4a2f", "#2b2b30"]), 9),
    area(`M${120 - wide} 66Q120 56 ${120 + wide} 66L126 196H114Z`, paint.main),
    line(`M${112 - wide / 3} 70L117 190M${128 + wide / 3} 70L123 190`, paint.dark, 2.5),
    line(`M${122 - wide} 104H${118 + wide}`, paint.accent, 7),
    line("M120 196V216", metal, 5),
  ].join("");
};

const overEar: Shape = (paint, random) => {
  const [cup, band] = [random.between(44, 54), random.between(13, 20)];
  const ear = (x: number) =>
    `M${x - 20} ${150 - cup}h40q8 0 8 10v${2 * cup - 20}q0 10 -8 10h-40q-8 0 -8 -10v${20 - 2 * cup}q0 -10 8 -10z`;
  return [
    line("M56 146V112Q56 44 120 44Q184 44 184 112V146", paint.main, band),
    line("M92 52Q120 40 148 52", paint.accent, band + 4),
    area(ear(58), paint.main),
    area(ear(182), paint.main),
    disc(82, 150, 9, cup - 6, "#333338"),
    disc(158, 150, 9, cup - 6, "#333338"),
  ].join("");
};

const onEar: Shape = (paint, random) => {
  const cup = random.between(27, 35);
  return [
    line("M52 150Q44 48 120 46Q196 48 188 150", metal, 7),
    line("M84 56Q120 38 156 56", paint.accent, 13),
    ...[54, 186].flatMap((x) => [
      disc(x, 154, cup, cup + 6, "#333338"),
      area(
        `M${x - cup + 6} 154a${cup - 6} ${cup} 0 1 0 ${2 * cup - 12} 0a${cup - 6} ${cup} 0 1 0 ${12 - 2 * cup} 0Z`,
        paint.main,
      ),
      disc(x, 154, 8, 9, paint.dark),
    ]),
    line("M54 190Q56 214 84 214", "#333338", 4),
  ].join("");
};

export const handbags = { tote, satchel, "bucket bag": bucketBag };
export const backpacks = { daypack, "roll-top backpack": rollTop };
export const umbrellas = { "open umbrella": openUmbrella, "folded umbrella": foldedUmbrella };
export const headphones = { "over-ear headphones": overEar, "on-ear headphones": onEar };
