/**
 * The colour that a GIF's first frame has where it is transparent, as [red, green, blue]; null where nothing is. Decoders
 * that give RGBA leave those pixels black, Pillow's `convert("RGB")` gives them this colour. (GIF89a, sections 18 to 23.)
 */
export function gifTransparentColour(bytes: Uint8Array): readonly number[] | null {
  const paletteAt = (at: number, flags: number) => ({ at, colours: flags & 0x80 ? 2 << (flags & 7) : 0 });
  let palette = paletteAt(13, bytes[10] ?? 0);
  let transparent: number | null = null;
  let at = 13 + 3 * palette.colours;
  while (at < bytes.length) {
    const kind = bytes[at];
    if (kind === 0x2c) {
      const local = paletteAt(at + 10, bytes[at + 9] ?? 0);
      if (local.colours > 0) palette = local;
      break;
    }
    if (kind !== 0x21) return null;
    if (bytes[at + 1] === 0xf9) transparent = (bytes[at + 3] ?? 0) & 1 ? (bytes[at + 6] ?? null) : null;
    at += 2;
    while ((bytes[at] ?? 0) > 0) at += 1 + (bytes[at] as number);
    at += 1;
  }
  if (transparent === null || transparent >= palette.colours) return null;
  const from = palette.at + 3 * transparent;
  return [...bytes.subarray(from, from + 3)];
}
