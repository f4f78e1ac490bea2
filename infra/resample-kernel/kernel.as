// AssemblyScript: both passes of packages/models/src/image/resample.ts with 128-bit vectors. Its memory holds one block:
// the caller says where what lies in it. Numbers are those of resample.ts: weights in units of 2^-22, sums in 32 bits.

const weightBits: i32 = 22;
const half: i32 = 1 << 21;

/**
 * Rows of RGB pixels, `width` wide, to rows of `columns`: result pixel i is made of `count[i]` pixels from `first[i]` on.
 * Reads a byte beyond the last pixel, and writes one beyond the last result.
 */
export function across(
  values: usize, width: i32, rows: i32, first: usize, count: usize, weights: usize, taps: i32, columns: i32, result: usize,
): void {
  for (let row = 0; row < rows; row++) {
    const start = values + <usize>(row * width * 3);
    for (let column = 0; column < columns; column++) {
      let from = start + <usize>(load<i32>(first + (<usize>column << 2)) * 3);
      let weight = weights + (<usize>(column * taps) << 2);
      const end = weight + (<usize>load<i32>(count + (<usize>column << 2)) << 2);
      let sum = i32x4.splat(half);
      for (; weight < end; weight += 4, from += 3) {
        const pixel = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(from)));
        sum = i32x4.add(sum, i32x4.mul(pixel, v128.load32_splat(weight)));
      }
      const levels = i32x4.shr_s(sum, weightBits);
      const narrow = i16x8.narrow_i32x4_s(levels, levels);
      store<i32>(result, i32x4.extract_lane(i8x16.narrow_i16x8_u(narrow, narrow), 0));
      result += 3;
    }
  }
}

/**
 * One row of `bytes` bytes made of `count` rows, one after the other, with a weight each. All rows are read, and the
 * result is written, in steps of 16 bytes: up to 15 beyond the end.
 */
export function down(values: usize, bytes: i32, count: i32, weights: usize, result: usize): void {
  for (let at = 0; at < bytes; at += 16) {
    let a = i32x4.splat(half);
    let b = a;
    let c = a;
    let d = a;
    let from = values + <usize>at;
    for (let k = 0; k < count; k++, from += <usize>bytes) {
      const weight = v128.load32_splat(weights + (<usize>k << 2));
      const levels = v128.load(from);
      const low = i16x8.extend_low_i8x16_u(levels);
      const high = i16x8.extend_high_i8x16_u(levels);
      a = i32x4.add(a, i32x4.mul(i32x4.extend_low_i16x8_u(low), weight));
      b = i32x4.add(b, i32x4.mul(i32x4.extend_high_i16x8_u(low), weight));
      c = i32x4.add(c, i32x4.mul(i32x4.extend_low_i16x8_u(high), weight));
      d = i32x4.add(d, i32x4.mul(i32x4.extend_high_i16x8_u(high), weight));
    }
    const first = i16x8.narrow_i32x4_s(i32x4.shr_s(a, weightBits), i32x4.shr_s(b, weightBits));
    const second = i16x8.narrow_i32x4_s(i32x4.shr_s(c, weightBits), i32x4.shr_s(d, weightBits));
    v128.store(result + <usize>at, i8x16.narrow_i16x8_u(first, second));
  }
}
