/** What a picture may cost. */
export const imageLimits = {
  bytesMax: 32 * 2 ** 20,
  /** Of pictures that are decoded row by row: baseline JPEG, PNG. */
  pixelsMax: 100_000_000,
  /** Of what has to be in memory at once: interlaced and progressive pictures, WebP, AVIF, GIF, TIFF, alpha, CMYK. */
  heldBytesMax: 80_000_000,
  decodeMsMax: 10_000,
} as const;
