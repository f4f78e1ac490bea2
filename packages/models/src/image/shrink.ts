import { isTransposed, mirrored, type Orientation } from "./orientation.ts";

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** One axis of a picture as it is decoded: its pixels, and the stretch of them that the picture covers. */
export interface Extent {
  readonly pixels: number;
  /** Less than a pixel off 0 where the decoder left out a last block that is not full, which a mirrored picture begins with. */
  readonly start: number;
  readonly length: number;
}
export interface Extents {
  readonly x: Extent;
  readonly y: Extent;
}

/** A picture is not shrunk to less than this times its result while it is decoded: its resize would no longer be Pillow's. */
const marginMin = 1.8;
/** Without blocks there is no reason to go so near; and up to twice this little is won by shrinking. */
const margin = 3;

export function wholeExtents({ width, height }: ImageSize): Extents {
  return { x: { pixels: width, start: 0, length: width }, y: { pixels: height, start: 0, length: height } };
}

/**
 * How far a picture of the upright `size` is best shrunk by its decoder before it is resized to `target`. A JPEG is
 * cheap to decode at a half, a quarter or an eighth, which its decoder chooses when it is asked for a third, a fifth, a
 * ninth; `blocksOf` says what it chose, since a last block that is not full is left out.
 */
export function shrunkExtents(
  size: ImageSize,
  target: ImageSize,
  { jpeg, orientation }: { jpeg: boolean; orientation: Orientation },
): Extents {
  const ratio = Math.min(size.width / target.width, size.height / target.height);
  const blocks = jpeg ? ([8, 4, 2].find((each) => ratio >= marginMin * (each + 1)) ?? 1) : 1;
  const shrunk = (edge: number, to: number) => {
    const base = blocks === 1 ? edge : Math.floor(edge / (blocks + 1));
    return base > 2 * margin * to ? margin * to : base;
  };
  const asked = { width: shrunk(size.width, target.width), height: shrunk(size.height, target.height) };
  const chosen = jpeg ? blocksOf(size, asked) : 1;
  const stored = mirrored(orientation);
  const mirror = isTransposed(orientation)
    ? { x: stored.rows, y: stored.columns }
    : { x: stored.columns, y: stored.rows };
  const extent = (edge: number, pixels: number, fromEnd: boolean): Extent => {
    const length = (pixels * (edge / chosen)) / Math.max(1, Math.floor(edge / chosen));
    return { pixels, start: fromEnd ? pixels - length : 0, length };
  };
  return { x: extent(size.width, asked.width, mirror.x), y: extent(size.height, asked.height, mirror.y) };
}

/** Pixels that sharp (0.35, `fastShrinkOnLoad`) makes one of while it decodes a JPEG. */
function blocksOf(size: ImageSize, asked: ImageSize): number {
  const shrink = Math.min(size.width / asked.width, size.height / asked.height);
  const blocks = [8, 4, 2].find((each) => shrink >= each) ?? 1;
  return blocks > 1 && Math.trunc(shrink) === blocks ? blocks / 2 : blocks;
}
