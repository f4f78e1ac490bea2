export type ImageFormat = "jpeg" | "png" | "webp" | "gif" | "tiff" | "avif";

/**
 * What the first bytes say a file is, or undefined for all that is not read here (SVG, PDF, HEIC and the rest of what
 * libvips knows). Nothing else decides it: no name, no media type, and not the decoder.
 */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | undefined {
  const text = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  if (text(0, 3) === "\xff\xd8\xff") return "jpeg";
  if (text(0, 8) === "\x89PNG\r\n\x1a\n") return "png";
  if (text(0, 6) === "GIF87a" || text(0, 6) === "GIF89a") return "gif";
  if (text(0, 4) === "RIFF" && text(8, 12) === "WEBP") return "webp";
  if (text(0, 4) === "II*\0" || text(0, 4) === "MM\0*") return "tiff";
  // The main brand, or one of those listed after the version where the main one is of any still or sequence.
  const brands = [
    text(8, 12),
    ...(/^m[is]f1$/.test(text(8, 12)) ? (text(16, 64).match(/.{4}/gs) ?? []) : []),
  ];
  if (text(4, 8) === "ftyp" && brands.some((brand) => /^avi[fs]$/.test(brand))) return "avif";
  return undefined;
}
