import sharp from "sharp";
import { expect, test } from "vitest";
import type { ImageProcessor } from "../artefact/image-processor.ts";
import { decodeImage } from "./decode-image.ts";
import { processedPixels } from "./image-row.ts";
import { picture } from "./pictures.fixture.ts";
import { type Kernel, resample } from "./resample.ts";
import { shrunkExtents } from "./shrink.ts";

/** A photograph enlarged to a size that no block divides. */
const large = await sharp(picture("photo.jpg")).resize(1411, 1203, { fit: "fill" }).toBuffer();

function processorTo(edge: number, kernel: Kernel): ImageProcessor {
  const to = { height: edge, width: edge };
  return {
    resize: { to, kernel },
    crop: null,
    flipChannels: false,
    scale: 1,
    mean: [0, 0, 0],
    deviation: [1, 1, 1],
  };
}

/** Decoded as it is and resized at once, which is Pillow's way to the bit. */
async function atOnce(bytes: Uint8Array, edge: number, kernel: Kernel) {
  const pixels = await decodeImage(bytes, ({ uprightSize: size }) => ({
    wholeSize: size,
    columns: { start: 0, length: size.width },
    rows: { start: 0, length: size.height },
  }));
  const axis = (size: number) => ({
    pixels: size,
    start: 0,
    length: size,
    target: edge,
    window: { start: 0, length: edge },
  });
  return resample(pixels, { x: axis(pixels.width), y: axis(pixels.height), kernel });
}

test.for(
  (["jpeg", "png"] as const).flatMap((format) =>
    [1, 3, 6].flatMap((orientation) =>
      ([180, 96, 48] as const).map((edge) => ({ format, orientation, edge })),
    ),
  ),
)(
  "$format, orientation $orientation, to $edge pixels: less than half a level from what Pillow makes",
  async ({ format, orientation, edge }) => {
    const options = format === "jpeg" ? { quality: 92 } : {};
    const bytes = await sharp(large).withMetadata({ orientation }).toFormat(format, options).toBuffer();
    for (const kernel of ["bilinear", "bicubic"] as const) {
      const expected = await atOnce(bytes, edge, kernel);
      const shrunk = await processedPixels(bytes, processorTo(edge, kernel));
      const apart = shrunk.values.reduce(
        (sum, level, i) => sum + Math.abs(level - (expected.values[i] as number)),
        0,
      );
      expect(apart / shrunk.values.length).toBeLessThan(0.5);
      expect(apart).toBeGreaterThan(0); // It was shrunk.
    }
  },
);

test("what is near its result already is not shrunk, and nothing to less than nearly twice it", () => {
  const options = { jpeg: true, orientation: 1 };
  const target = { width: 100, height: 100 };
  expect(shrunkExtents({ width: 530, height: 520 }, target, options)).toEqual({
    x: { pixels: 530, start: 0, length: 530 },
    y: { pixels: 520, start: 0, length: 520 },
  });
  for (let edge = 530; edge < 5_000; edge += 7) {
    for (const jpeg of [true, false]) {
      const { x, y } = shrunkExtents({ width: edge, height: edge + 3 }, target, { ...options, jpeg });
      for (const { pixels } of [x, y]) {
        expect(pixels).toBeGreaterThanOrEqual(180);
        expect(pixels).toBeLessThanOrEqual(600);
      }
    }
  }
  // A long strip: its long side is, its short side is not.
  expect(shrunkExtents({ width: 100_000, height: 80 }, target, options).x.pixels).toBe(300);
  expect(shrunkExtents({ width: 100_000, height: 80 }, target, options).y.pixels).toBe(80);
});
