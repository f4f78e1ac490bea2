import type { Pixels, Window } from "./resample.ts";

/** EXIF's orientation, 1 to 8: how a stored picture is turned and mirrored to be seen upright (CIPA DC-008, 4.6.5). */
export type Orientation = number;

export interface Region {
  readonly columns: Window;
  readonly rows: Window;
}

export function isTransposed(orientation: Orientation): boolean {
  return orientation >= 5;
}
/** Whether stored columns, and stored rows, run from the end. */
export function mirrored(orientation: Orientation): { columns: boolean; rows: boolean } {
  return { columns: [2, 3, 7, 8].includes(orientation), rows: [3, 4, 6, 7].includes(orientation) };
}

/** Where a region of the upright picture is in the stored one of `width` by `height`. */
export function storedRegion(
  region: Region,
  orientation: Orientation,
  { width, height }: { width: number; height: number },
): Region {
  const { columns, rows } = isTransposed(orientation)
    ? { columns: region.rows, rows: region.columns }
    : region;
  const mirror = mirrored(orientation);
  const fromEnd = ({ start, length }: Window, size: number) => ({ start: size - start - length, length });
  return {
    columns: mirror.columns ? fromEnd(columns, width) : columns,
    rows: mirror.rows ? fromEnd(rows, height) : rows,
  };
}

/** Stored pixels put upright. */
export function upright(stored: Pixels, orientation: Orientation): Pixels {
  if (orientation === 1) return stored;
  const mirror = mirrored(orientation);
  const transposed = isTransposed(orientation);
  const [width, height] = transposed ? [stored.height, stored.width] : [stored.width, stored.height];
  const values = new Uint8Array(stored.values.length);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = transposed ? [y, x] : [x, y];
      const column = mirror.columns ? stored.width - 1 - u : u;
      const row = mirror.rows ? stored.height - 1 - v : v;
      const from = (row * stored.width + column) * 3;
      values[to++] = stored.values[from] as number;
      values[to++] = stored.values[from + 1] as number;
      values[to++] = stored.values[from + 2] as number;
    }
  }
  return { values, width, height };
}
