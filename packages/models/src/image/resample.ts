import { strict as assert } from "node:assert";
import { ResampleKernel } from "./resample-kernel.ts";
import type { Extent } from "./shrink.ts";

/** 8-bit RGB, row-major, three bytes per pixel. */
export interface Pixels {
  readonly values: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export type Kernel = "nearest" | "box" | "bilinear" | "hamming" | "bicubic" | "lanczos";

/** A range of one axis. */
export interface Window {
  readonly start: number;
  readonly length: number;
}

/** Along one axis: the source, pixels of the whole result, and which of those are wanted. */
export interface Axis extends Extent {
  readonly target: number;
  readonly window: Window;
}

/** Weights of the source pixels `first[i]` to `first[i] + count[i] - 1` of result pixel i, `taps` places for each. */
interface Coefficients {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  readonly taps: number;
}

/** Half widths in source pixels at scale 1, and the functions, of the usual names. */
const filters: Readonly<Record<Exclude<Kernel, "nearest">, { support: number; at: (x: number) => number }>> =
  {
    box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
    bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
    hamming: {
      support: 1,
      at: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))),
    },
    bicubic: { support: 2, at: (x) => cubic(Math.abs(x)) },
    lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
  };

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Keys 1981 with a = -1/2. */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/** Weights are whole numbers of 2^-22: a sum of 255 times weights that add up to about 1 stays within 32 bits. */
const weightBits = 22;

/** The source pixels that a window of the result is made of. */
export function sourceWindow(axis: Axis, kernel: Kernel): Window {
  const { first, count } = coefficientsOf(axis, kernel);
  const start = first.reduce((least, at) => Math.min(least, at), axis.pixels);
  const end = first.reduce((most, at, i) => Math.max(most, at + (count[i] as number)), start);
  return { start, length: end - start };
}

/**
 * A window of a picture resized as Pillow does it, which is what the processors of models were written with: when
 * shrinking, the kernel is as wide as the pixels it stands for; first along rows, then along columns, each time rounded to
 * 8 bits, with weights in fixed point. (The resize of libvips is up to 8 levels of 255 away on average where it enlarges.)
 * `pixels` holds at least the `sourceWindow` of both axes, from `left` and `top` of the source on. Where an axis covers only
 * a stretch of its pixels, it is Pillow's `box`.
 */
export function resample(
  pixels: Pixels & { readonly left: number; readonly top: number },
  { x, y, kernel }: { x: Axis; y: Axis; kernel: Kernel },
): Pixels {
  assert.equal(pixels.values.length, pixels.width * pixels.height * 3);
  const [across, down] = [coefficientsOf(x, kernel), coefficientsOf(y, kernel)];
  return resampleDown(resampleAcross(pixels, across, pixels.left), down, pixels.top);
}

function coefficientsOf(axis: Axis, kernel: Kernel): Coefficients {
  const { pixels, start, length, target, window } = axis;
  assert(window.start >= 0 && window.length > 0 && window.start + window.length <= target);
  const scale = length / target;
  const first = new Int32Array(window.length);
  const count = new Int32Array(window.length);
  if (kernel === "nearest" || (target === pixels && length === pixels)) {
    let at = start + scale * 0.5; // Added up as Pillow does: products round otherwise where a place is between two pixels.
    for (let i = -window.start; i < window.length; i++, at += scale) {
      if (i >= 0) first[i] = Math.min(pixels - 1, Math.trunc(at));
    }
    const weights = new Int32Array(window.length).fill(1 << weightBits);
    return { first, count: count.fill(1), weights, taps: 1 };
  }
  const filter = filters[kernel];
  const stretch = Math.max(scale, 1);
  const support = filter.support * stretch;
  const taps = Math.ceil(support) * 2 + 1;
  const weights = new Int32Array(window.length * taps);
  const raw = new Float64Array(taps);
  for (let i = 0; i < window.length; i++) {
    const centre = start + (window.start + i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const to = Math.min(pixels, Math.trunc(centre + support + 0.5));
    let sum = 0;
    for (let k = from; k < to; k++) {
      const weight = filter.at((k - centre + 0.5) / stretch);
      raw[k - from] = weight;
      sum += weight;
    }
    for (let k = 0; k < to - from; k++) {
      const weight = sum === 0 ? 0 : ((raw[k] as number) / sum) * (1 << weightBits);
      weights[i * taps + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[i] = from;
    count[i] = to - from;
  }
  return { first, count, weights, taps };
}

/** Rows that pass through the kernel's memory at a time. */
const stripeBytes = 2 ** 20;

function resampleAcross(pixels: Pixels, coefficients: Coefficients, left: number): Pixels {
  const { count, weights, taps } = coefficients;
  const { values, width, height } = pixels;
  const columns = coefficients.first.length;
  const [rowBytes, resultBytes] = [width * 3, columns * 3];
  const stripeRows = Math.max(1, Math.min(height, Math.floor(stripeBytes / Math.max(rowBytes, resultBytes))));
  const result = new Uint8Array(resultBytes * height);
  using kernel = new ResampleKernel();
  const first = coefficients.first.map((at) => at - left);
  const places = [first, count, weights].map((block) => kernel.place(block.byteLength, block));
  const [atFirst = 0, atCount = 0, atWeights = 0] = places;
  const atValues = kernel.place(stripeRows * rowBytes);
  const atResult = kernel.place(stripeRows * resultBytes);
  for (let row = 0; row < height; row += stripeRows) {
    const rows = Math.min(stripeRows, height - row);
    kernel.write(atValues, values.subarray(row * rowBytes, (row + rows) * rowBytes));
    kernel.across(atValues, width, rows, atFirst, atCount, atWeights, taps, columns, atResult);
    result.set(kernel.read(atResult, rows * resultBytes), row * resultBytes);
  }
  return { values: result, width: columns, height };
}

function resampleDown(pixels: Pixels, coefficients: Coefficients, top: number): Pixels {
  const { first, count, weights, taps } = coefficients;
  const { values, width } = pixels;
  const rowBytes = width * 3;
  const result = new Uint8Array(rowBytes * first.length);
  using kernel = new ResampleKernel();
  const atWeights = kernel.place(weights.byteLength, weights);
  const atResult = kernel.place(rowBytes);
  const atValues = kernel.place(rowBytes * Math.max(...count));
  for (let row = 0; row < first.length; row++) {
    const from = ((first[row] as number) - top) * rowBytes;
    const rows = count[row] as number;
    kernel.write(atValues, values.subarray(from, from + rows * rowBytes));
    kernel.down(atValues, rowBytes, rows, atWeights + row * taps * 4, atResult);
    result.set(kernel.read(atResult, rowBytes), row * rowBytes);
  }
  return { values: result, width, height: first.length };
}
