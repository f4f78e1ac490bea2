import { strict as assert } from "node:assert";

/** Sizes of a tensor's dimensions; `openDimension` where it is known only when a served model runs. A scalar has none. */
export type Shape = readonly number[];

/** At most one of a served graph's dimensions: the batch. A graph that has it can't be differentiated. */
export const openDimension = -1;

export function sizeOf(shape: Shape): number {
  assert(!shape.includes(openDimension), `the size of [${shape}] is open`);
  return shape.reduce((product, dimension) => product * dimension, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

/** Numpy's rule: shapes are aligned at their ends, a dimension of 1 is stretched. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[a.length - rank + axis] ?? 1;
    const right = b[b.length - rank + axis] ?? 1;
    assert(left === right || left === 1 || right === 1, `[${a}] and [${b}] don't fit each other`);
    return left === 1 ? right : left;
  });
}

/** Counted from the end where it is negative, as ONNX does. */
export function axisOf(axis: number, rank: number): number {
  const counted = axis < 0 ? axis + rank : axis;
  assert(Number.isInteger(axis) && counted >= 0 && counted < rank, `there is no axis ${axis} of ${rank}`);
  return counted;
}

export function axesOf(axes: readonly number[] | undefined, rank: number): readonly number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  return axes.map((axis) => axisOf(axis, rank)).sort((a, b) => a - b);
}

export function reducedShape(shape: Shape, axes: readonly number[], keepsAxes: boolean): Shape {
  if (keepsAxes) return shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension));
  return shape.filter((_, axis) => !axes.includes(axis));
}
