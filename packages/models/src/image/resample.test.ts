import fc from "fast-check";
import { expect, test } from "vitest";
import { type Kernel, type Pixels, resample, sourceWindow } from "./resample.ts";

const kernels: Kernel[] = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"];

function greys(values: readonly number[], width: number): Pixels & { left: number; top: number } {
  const rgb = Uint8Array.from(values.flatMap((level) => [level, level, level]));
  return { values: rgb, width, height: values.length / width, left: 0, top: 0 };
}
function whole(size: number, target: number) {
  return { pixels: size, start: 0, length: size, target, window: { start: 0, length: target } };
}
function reds({ values }: Pixels): number[] {
  return [...values].filter((_, i) => i % 3 === 0);
}

// Pillow 13: Image.fromarray(row).resize((to, 1), code).
const row = [0, 255, 30, 200, 90, 10, 128, 64];
test.for([
  ["nearest", 3, [255, 90, 128]],
  ["box", 3, [95, 145, 67]],
  ["bilinear", 3, [124, 106, 79]],
  ["hamming", 3, [127, 117, 83]],
  ["bicubic", 3, [120, 109, 74]],
  ["lanczos", 3, [121, 111, 70]],
  ["bilinear", 12, [0, 128, 217, 68, 115, 182, 108, 50, 30, 108, 96, 64]],
  ["bicubic", 12, [0, 133, 241, 50, 108, 198, 110, 36, 20, 117, 101, 60]],
] as const)("%s to %i pixels is Pillow's", ([kernel, to, expected]) => {
  const resized = resample(greys(row, 8), { x: whole(8, to), y: whole(1, 1), kernel });
  expect(reds(resized)).toEqual(expected);
});

const picture = fc
  .tuple(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 24 }))
  .chain(([width, height]) =>
    fc.record({
      width: fc.constant(width),
      height: fc.constant(height),
      values: fc.uint8Array({ minLength: 3 * width * height, maxLength: 3 * width * height }),
    }),
  );
const cut = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.nat(39), fc.integer({ min: 1, max: 40 }))
  .map(([target, at, length]) => {
    const start = at % target;
    return { target, window: { start, length: Math.min(length, target - start) } };
  });

test("a window that is made of its source window alone is that window of the whole", () => {
  fc.assert(
    fc.property(picture, cut, cut, fc.constantFrom(...kernels), (source, across, down, kernel) => {
      const x = { ...whole(source.width, 1), ...across };
      const y = { ...whole(source.height, 1), ...down };
      const all = resample(
        { ...source, left: 0, top: 0 },
        { x: whole(x.pixels, x.target), y: whole(y.pixels, y.target), kernel },
      );
      const [columns, rows] = [sourceWindow(x, kernel), sourceWindow(y, kernel)];
      const region = cropped(source, columns, rows);
      const part = resample({ ...region, left: columns.start, top: rows.start }, { x, y, kernel });
      expect(part).toEqual(cropped(all, across.window, down.window));
    }),
    { numRuns: 300 },
  );
});

function cropped(
  { values, width }: Pixels,
  columns: { start: number; length: number },
  rows: { start: number; length: number },
): Pixels {
  const parts = Array.from({ length: rows.length }, (_, i) => {
    const from = ((rows.start + i) * width + columns.start) * 3;
    return [...values.subarray(from, from + columns.length * 3)];
  });
  return { values: Uint8Array.from(parts.flat()), width: columns.length, height: rows.length };
}

test("one colour stays that colour, whatever the sizes", () => {
  fc.assert(
    fc.property(
      cut,
      cut,
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(...kernels),
      (x, y, level, kernel) => {
        const source = greys(new Array<number>(7 * 5).fill(level), 7);
        const resized = resample(source, {
          x: { ...whole(7, 1), ...x },
          y: { ...whole(5, 1), ...y },
          kernel,
        });
        expect(new Set(reds(resized))).toEqual(new Set([level]));
      },
    ),
  );
});
