import { area, disc, line } from "./paint.ts";
import type { Shape } from "./worn.ts";

const woods = ["#b98a5a", "#8a5d3b", "#d6b483", "#4b3a2e"];
const coffee = "#4b2f22";
const light = "#fff2c4";

const straightMug: Shape = (paint, random) => {
  const top = random.between(58, 84);
  const handle = `M154 ${top + 22}Q206 ${top + 18} 204 ${(top + 190) / 2}Q202 166 154 164`;
  return [
    line(handle, paint.flat, random.between(11, 16)),
    area(`M56 ${top}H158V176Q158 190 144 192H70Q56 190 56 176Z`, paint.main),
    disc(107, top, 51, 13, paint.flat),
    disc(107, top + 1, 43, 9, coffee),
  ].join("");
};

const roundMug: Shape = (paint, random) => {
  const belly = random.between(4, 18);
  return [
    line("M158 104Q206 96 202 132Q198 166 148 168", paint.flat, random.between(10, 14)),
    area(`M58 84Q${46 - belly} 150 78 188H136Q${168 + belly} 150 156 84Z`, paint.main),
    disc(107, 84, 49, 13, paint.flat),
    disc(107, 85, 41, 9, coffee),
    line("M76 190H138", paint.dark, 5),
  ].join("");
};

const latteMug: Shape = (paint, random) => {
  const foot = random.between(30, 38);
  return [
    line("M150 84Q192 80 190 112Q186 144 144 148", paint.flat, 10),
    area(`M64 44H156L${110 + foot} 198H${110 - foot}Z`, paint.main),
    disc(110, 44, 46, 11, paint.flat),
    disc(110, 45, 39, 8, "#d9b48c"),
    line(`M${112 - foot} 186H${108 + foot}`, paint.accent, 7),
  ].join("");
};

const roundTeapot: Shape = (paint, random) => {
  const [wide, high] = [random.between(58, 66), random.between(44, 52)];
  return [
    line("M64 118Q14 104 26 146Q34 176 74 170", paint.flat, 11),
    area("M164 166Q196 160 204 104L220 102Q222 168 172 184Z", paint.flat),
    area(
      `M${116 - wide} 144a${wide} ${high} 0 1 0 ${2 * wide} 0a${wide} ${high} 0 1 0 ${-2 * wide} 0Z`,
      paint.main,
    ),
    area("M78 104Q116 78 154 104Q116 116 78 104Z", paint.dark),
    disc(116, 84, 9, 9, paint.accent),
    line(`M88 ${144 + high}H144`, paint.dark, 8),
  ].join("");
};

const coffeePot: Shape = (paint, random) => {
  const top = random.between(58, 72);
  return [
    line(`M84 ${top + 18}Q36 ${top + 18} 40 140Q44 172 78 176`, paint.flat, 11),
    area("M150 150Q180 130 186 78L204 72Q206 150 154 182Z", paint.flat),
    area(`M88 ${top}H148Q166 150 168 200H68Q70 150 88 ${top}Z`, paint.main),
    area(`M86 ${top}Q118 ${top - 26} 150 ${top}Z`, paint.dark),
    disc(118, top - 20, 8, 8, paint.accent),
  ].join("");
};

const sideChair: Shape = (paint, random) => {
  const wood = random.one(woods);
  const top = random.between(26, 42);
  const slats = random.one([
    `M84 ${top + 6}V120M104 ${top + 6}V118M124 ${top + 6}V116M144 ${top + 6}V116`,
    `M70 ${top + 22}H156M70 ${top + 46}H156M70 ${top + 68}H156`,
  ]);
  return [
    line(`M68 ${top}V206M158 ${top}V190`, wood, 9),
    line(`M68 ${top + 4}Q112 ${top - 8} 158 ${top + 4}`, wood, 12),
    line(slats, wood, 6),
    line("M84 136V216M186 136V212", wood, 9),
    area("M60 116L160 112L196 134L86 142Z", paint.main),
    area("M86 142L196 134V146L86 154Z", paint.dark),
  ].join("");
};

const armchair: Shape = (paint, random) => {
  const [top, wood] = [random.between(40, 58), random.one(woods)];
  return [
    line("M62 196L54 216M178 196L186 216", wood, 10),
    area(`M62 ${top + 22}Q62 ${top} 84 ${top}H156Q178 ${top} 178 ${top + 22}V150H62Z`, paint.main),
    area("M62 138H178V176H62Z", paint.flat),
    area("M34 120Q34 104 50 104Q66 104 66 120V198H44Q34 198 34 188Z", paint.main),
    area("M174 120Q174 104 190 104Q206 104 206 120V188Q206 198 196 198H174Z", paint.main),
    area("M62 172H178V198H62Z", paint.dark),
  ].join("");
};

const stool: Shape = (paint, random) => {
  const wood = random.one(woods);
  const [seat, step] = [random.between(62, 82), random.between(150, 170)];
  return [
    line(`M86 ${seat + 14}L62 214M154 ${seat + 14}L178 214`, wood, 9),
    line(`M104 ${seat + 16}L98 206M136 ${seat + 16}L142 206`, wood, 8),
    line(`M74 ${step}H166`, wood, 7),
    area(`M66 ${seat}V${seat + 16}Q120 ${seat + 36} 174 ${seat + 16}V${seat}Z`, paint.dark),
    disc(120, seat, 54, 15, paint.main),
  ].join("");
};

const tableLamp: Shape = (paint, random) => {
  const [top, brim] = [random.between(26, 34), random.between(58, 72)];
  const foot = random.one([
    "M112 122H128Q132 146 152 166Q156 196 120 198Q84 196 88 166Q108 146 112 122Z",
    "M114 122H126V186H156Q160 198 150 200H90Q80 198 84 186H114Z",
  ]);
  return [
    area(foot, paint.accent),
    line("M86 204H154", paint.dark, 8),
    area(`M${120 - brim / 1.8} ${top}H${120 + brim / 1.8}L${120 + brim} 126H${120 - brim}Z`, paint.main),
    disc(120, 126, brim, 7, light),
  ].join("");
};

const floorLamp: Shape = (paint, random) => {
  const brim = random.between(40, 52);
  const legs = random.one(["M120 76V206M88 210H152", "M120 80L78 216M120 80L162 216M120 80V210"]);
  return [
    line(legs, random.one(["#35353b", "#b98a5a", "#c0b283"]), 6),
    area(`M${120 - brim / 1.5} 24H${120 + brim / 1.5}L${120 + brim} 84H${120 - brim}Z`, paint.main),
    disc(120, 84, brim, 6, light),
  ].join("");
};

const deskLamp: Shape = (paint, random) => {
  const elbow = random.between(50, 66);
  return [
    line(`M92 196L${elbow} 116L128 58`, random.one(["#35353b", "#b9bcc2"]), 8),
    disc(elbow, 116, 9, 9, paint.dark),
    area("M118 40L150 52Q196 74 190 124L112 84Q104 54 118 40Z", paint.main),
    area("M112 84L190 124Q176 140 150 126Q122 112 112 84Z", light),
    area("M52 196Q92 178 132 196V208H52Z", paint.flat),
  ].join("");
};

export const mugs = { "straight mug": straightMug, "round mug": roundMug, "latte mug": latteMug };
export const teapots = { "round teapot": roundTeapot, "coffee pot": coffeePot };
export const chairs = { "side chair": sideChair, armchair, stool };
export const lamps = { "table lamp": tableLamp, "floor lamp": floorLamp, "desk lamp": deskLamp };
