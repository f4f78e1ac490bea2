import sharp from "sharp";
import { expect, test } from "vitest";
import { decodeImage } from "./decode-image.ts";
import { imageFormatOf } from "./image-format.ts";
import { picture } from "./pictures.fixture.ts";

/** All of a picture as it is. */
async function pixelsOf(bytes: Uint8Array) {
  const { values, width, height } = await decodeImage(bytes, ({ uprightSize: size }) => ({
    wholeSize: size,
    columns: { start: 0, length: size.width },
    rows: { start: 0, length: size.height },
  }));
  return { values: [...values], width, height };
}

// 3 x 2 pixels: 1 2 3 above 4 5 6.
const levels = [1, 2, 3, 4, 5, 6];
function raw(values: readonly number[] = levels, channels: 1 | 2 | 3 | 4 = 1) {
  return sharp(Uint8Array.from(values), { raw: { width: 3, height: 2, channels } });
}

test.for([
  [1, 3, [1, 2, 3, 4, 5, 6]],
  [2, 3, [3, 2, 1, 6, 5, 4]],
  [3, 3, [6, 5, 4, 3, 2, 1]],
  [4, 3, [4, 5, 6, 1, 2, 3]],
  [5, 2, [1, 4, 2, 5, 3, 6]],
  [6, 2, [4, 1, 5, 2, 6, 3]],
  [7, 2, [6, 3, 5, 2, 4, 1]],
  [8, 2, [3, 6, 2, 5, 1, 4]],
] as const)(
  "orientation %i is put upright, and so is a part of it",
  async ([orientation, width, upright]) => {
    const bytes = await raw().withMetadata({ orientation }).tiff({ compression: "none" }).toBuffer();
    const { values, ...size } = await pixelsOf(bytes);
    expect(size).toEqual({ width, height: 6 / width });
    expect(values.filter((_, i) => i % 3 === 0)).toEqual(upright);
    const part = await decodeImage(bytes, ({ uprightSize: whole }) => ({
      wholeSize: whole,
      columns: { start: 1, length: 1 },
      rows: { start: 0, length: whole.height },
    }));
    expect([...part.values].filter((_, i) => i % 3 === 0)).toEqual(upright.filter((_, i) => i % width === 1));
    expect(part).toMatchObject({ left: 1, top: 0, width: 1 });
  },
);

test("alpha is dropped, not blended", async () => {
  const rgba = Array.from({ length: 6 }, (_, i) => [10 * i, 20 * i, 30 * i, i === 2 ? 0 : 128]).flat();
  const { values } = await pixelsOf(await raw(rgba, 4).png().toBuffer());
  expect(values).toEqual(rgba.filter((_, i) => i % 4 !== 3));
});

test("of 16 bits the high 8 are taken, of greys too", async () => {
  const samples = Uint16Array.of(0, 255, 256, 0x1234, 0xfeff, 0xffff);
  const grey = sharp(samples, { raw: { width: 3, height: 2, channels: 1 } }).toColourspace("grey16");
  const { values } = await pixelsOf(await grey.png().toBuffer());
  expect(values.filter((_, i) => i % 3 === 0)).toEqual([0, 0, 1, 0x12, 0xfe, 0xff]);
});

test("a colour profile counts for nothing", async () => {
  const plain = await raw(
    Array.from({ length: 18 }, (_, i) => i * 13),
    3,
  )
    .png()
    .toBuffer();
  const profiled = await sharp(plain).withIccProfile("p3").png().toBuffer();
  const stored = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
  expect((await sharp(profiled).metadata()).hasProfile).toBe(true);
  expect((await pixelsOf(profiled)).values).toEqual([...stored]);
});

test("the first bytes decide what a file is", () => {
  const starts: [string, string | undefined][] = [
    ["\xff\xd8\xff\xe0", "jpeg"],
    ["\x89PNG\r\n\x1a\n", "png"],
    ["GIF87a", "gif"],
    ["RIFF\0\0\0\0WEBPVP8 ", "webp"],
    ["RIFF\0\0\0\0WAVE", undefined],
    ["II*\0", "tiff"],
    ["MM\0*", "tiff"],
    ["\0\0\0\x1cftypavif\0\0\0\0", "avif"],
    ["\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "avif"],
    ["\0\0\0\x1cftypheic\0\0\0\0mif1avif", undefined],
    ["<svg xmlns", undefined],
    ["%PDF-1.7", undefined],
    ["", undefined],
  ];
  for (const [start, format] of starts)
    expect(imageFormatOf(Buffer.from(start, "latin1")), start).toBe(format);
});

test("a file over the limit of bytes is refused, and the reason says both", async () => {
  const bytes = Buffer.concat([picture("photo.jpg"), Buffer.alloc(32 * 2 ** 20)]);
  await expect(pixelsOf(bytes)).rejects.toMatchObject({
    code: "encoder_failed",
    message: `the picture has ${bytes.length} bytes, more than 33554432`,
  });
});
