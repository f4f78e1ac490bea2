import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import sharp, { type Metadata, type Sharp } from "sharp";
import { gifTransparentColour } from "./gif-transparency.ts";
import { type ImageFormat, imageFormatOf } from "./image-format.ts";
import { imageLimits } from "./image-limits.ts";
import { isTransposed, type Region, storedRegion, upright } from "./orientation.ts";
import type { Pixels } from "./resample.ts";
import { type Extents, type ImageSize, shrunkExtents, wholeExtents } from "./shrink.ts";

/** What is known of a picture before it is decoded, upright. */
export interface Picture {
  readonly uprightSize: ImageSize;
  /** How it is best shrunk while it is decoded, which saves time and memory; see `shrunkExtents`. */
  shrunk(target: ImageSize): Extents;
}
/** The part of a picture that is wanted, in pixels of the picture once it has this size: at most its own. */
export interface Reading extends Region {
  readonly wholeSize: ImageSize;
}
export type ReadPixels = Pixels & { readonly left: number; readonly top: number };

/**
 * Decodes the part of a picture that `wanted` asks for: 8-bit RGB, upright, as Pillow's `exif_transpose` and
 * `convert("RGB")` give it: alpha is dropped, not blended; colour profiles count for nothing; CMYK becomes RGB by its
 * simple formula. The first frame or page counts. Of 16 bits the high 8 are taken, of greys too (where Pillow makes all
 * above 255 white). Alpha and CMYK are not shrunk while they are decoded, since their colours would mix.
 *
 * Throws `encoder_failed` with the reason for whatever is broken, over a limit, or of another format.
 */
export async function decodeImage(
  bytes: Uint8Array,
  wanted: (picture: Picture) => Reading,
): Promise<ReadPixels> {
  const format = imageFormatOf(bytes);
  if (bytes.length === 0) throw refused("is empty", "leave the field out where there is no picture");
  if (format === undefined) {
    throw refused("is none of JPEG, PNG, WebP, AVIF, GIF and TIFF", "convert it to one of these");
  }
  if (bytes.length > imageLimits.bytesMax) {
    throw refused(`has ${bytes.length} bytes, more than ${imageLimits.bytesMax}`, "make it smaller");
  }
  try {
    const image = sharp(bytes, {
      failOn: "error",
      limitInputPixels: imageLimits.pixelsMax,
      sequentialRead: true,
      ignoreIcc: true,
      pages: 1,
      unlimited: false,
    });
    const header = await image.metadata();
    checkHeader(header, format, bytes);
    const { orientation = 1 } = header;
    const mayShrink = !header.hasAlpha && header.space !== "cmyk";
    const uprightSize = isTransposed(orientation)
      ? { width: header.height, height: header.width }
      : { width: header.width, height: header.height };
    const reading = wanted({
      uprightSize,
      shrunk: (target) =>
        mayShrink
          ? shrunkExtents(uprightSize, target, { jpeg: format === "jpeg", orientation })
          : wholeExtents(uprightSize),
    });
    const stored = await readStored(image, {
      header,
      reading,
      orientation,
      transparent: transparentOf(bytes, format),
    });
    return { ...upright(stored, orientation), left: reading.columns.start, top: reading.rows.start };
  } catch (cause) {
    if (cause instanceof MedleyError || cause instanceof assert.AssertionError) throw cause;
    // The decoder's words, as one line of plain text: it never quotes pixels, but might quote a broken tag.
    const reason = (cause as Error).message
      .replace(/\s+/g, " ")
      .replace(/[^ -~]/g, "")
      .slice(0, 160)
      .trim();
    throw refused(`can't be decoded: ${reason}`, "save it again with another program");
  }
}

function refused(what: string, mend: string): MedleyError {
  return new MedleyError("encoder_failed", `the picture ${what}`, { mend });
}

function transparentOf(bytes: Uint8Array, format: ImageFormat): readonly number[] | null {
  return format === "gif" ? gifTransparentColour(bytes) : null;
}

function checkHeader(header: Metadata, format: ImageFormat, bytes: Uint8Array): void {
  const { width, height, depth, space } = header;
  const read = header.format === "heif" && header.compression === "av1" ? "avif" : header.format;
  if (read !== format)
    throw refused(`begins as ${format} but is ${read}`, "save it again with another program");
  const pixels = width * height;
  if (pixels > imageLimits.pixelsMax) {
    throw refused(`has ${width} x ${height} pixels, more than ${imageLimits.pixelsMax}`, "make it smaller");
  }
  const held = Math.ceil(pixels * heldBytesPerPixel(header, format, bytes));
  if (held > imageLimits.heldBytesMax) {
    throw refused(
      `has ${width} x ${height} pixels and takes ${held} bytes to decode, more than ${imageLimits.heldBytesMax}`,
      "make it smaller, or save it as a baseline JPEG",
    );
  }
  const spaces = ["srgb", "rgb", "b-w", "cmyk", "rgb16", "grey16"];
  if (!["uchar", "ushort"].includes(depth) || !spaces.includes(space)) {
    throw refused(`has ${depth} samples of ${space}`, "save it with 8 or 16 bits of grey, RGB or CMYK");
  }
}

/** Bytes in memory for each pixel while decoding, 0 where rows pass one after the other. */
function heldBytesPerPixel(header: Metadata, format: ImageFormat, bytes: Uint8Array): number {
  const { channels, depth, isProgressive, chromaSubsampling } = header;
  const whole = channels * (depth === "ushort" ? 2 : 1);
  const taken = header.hasAlpha || header.space === "cmyk" ? channels : 0;
  switch (format) {
    case "jpeg": {
      // Coefficients are 16 bits each; 4:2:0 has half a chroma sample per pixel in all, 4:2:2 one.
      const chroma = chromaSubsampling?.startsWith("4:2:0")
        ? 0.5
        : chromaSubsampling?.startsWith("4:2")
          ? 1
          : 2;
      const samples = channels === 1 ? 1 : channels - 2 + chroma;
      return taken + (isProgressive ? 2 * samples : 0);
    }
    case "png":
      return taken + (isProgressive ? whole : 0);
    case "webp":
      // A lossless one is decoded to four bytes per pixel first.
      return taken + whole + (String.fromCharCode(...bytes.subarray(12, 16)) === "VP8 " ? 0 : 4);
    case "avif":
      return taken + whole + 3 * (depth === "ushort" ? 2 : 1);
    case "gif":
      return taken + whole + 4;
    case "tiff":
      return taken + whole;
  }
}

async function readStored(
  image: Sharp,
  options: {
    header: Metadata;
    reading: Reading;
    orientation: number;
    transparent: readonly number[] | null;
  },
): Promise<Pixels> {
  const { header, reading, orientation, transparent } = options;
  const size = isTransposed(orientation)
    ? { width: reading.wholeSize.height, height: reading.wholeSize.width }
    : reading.wholeSize;
  const { columns, rows } = storedRegion(reading, orientation, size);
  const cmyk = header.space === "cmyk";
  image.timeout({ seconds: imageLimits.decodeMsMax / 1_000 });
  if (cmyk) image.pipelineColourspace("cmyk");
  image.toColourspace(cmyk ? "cmyk" : "srgb");
  if (size.width !== header.width || size.height !== header.height) {
    image.resize({ ...size, fit: "fill", kernel: "lanczos3", fastShrinkOnLoad: true });
  }
  image.extract({ left: columns.start, top: rows.start, width: columns.length, height: rows.length });
  if (transparent === null && !cmyk) image.removeAlpha();
  const { data, info } = await image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  assert.equal(data.length, columns.length * rows.length * info.channels);
  assert.deepEqual([info.width, info.height], [columns.length, rows.length]);
  const { width, height } = info;
  if (cmyk) return { values: rgbOfCmyk(data), width, height };
  if (transparent !== null && info.channels === 4)
    return { values: rgbOfRgba(data, transparent), width, height };
  assert.equal(info.channels, 3);
  return { values: data, width, height };
}

/** Each ink takes its share of what black leaves, in Pillow's rounding. */
function rgbOfCmyk(inks: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let from = 0, to = 0; from < inks.length; from += 4) {
    const white = 255 - (inks[from + 3] as number);
    for (let ink = 0; ink < 3; ink++) {
      const product = (inks[from + ink] as number) * white + 128;
      rgb[to++] = white - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}

function rgbOfRgba(rgba: Uint8Array, transparent: readonly number[]): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    const seen = rgba[from + 3] !== 0;
    for (let c = 0; c < 3; c++) rgb[to++] = (seen ? rgba[from + c] : transparent[c]) as number;
  }
  return rgb;
}
