/** A cyclic redundancy check, highest bit first, start value 0, nothing inverted: that of FLAC and Ogg. */
export function crcTable(options: {
  bits: 8 | 16 | 32;
  polynomial: number;
}): (...parts: Uint8Array[]) => number {
  const { bits, polynomial } = options;
  const shift = 32 - bits; // All are computed as 32 bits, the smaller ones in the upper part.
  const table = Int32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte << 24;
    for (let bit = 0; bit < 8; bit++)
      remainder = (remainder << 1) ^ (remainder < 0 ? polynomial << shift : 0);
    return remainder;
  });
  return (...parts) => {
    let remainder = 0;
    for (const part of parts) {
      for (const byte of part) remainder = (remainder << 8) ^ (table[(remainder >>> 24) ^ byte] as number);
    }
    return remainder >>> shift;
  };
}
