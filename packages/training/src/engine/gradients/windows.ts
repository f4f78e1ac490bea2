import { strict as assert } from "node:assert";
import type { NodeAttributes } from "../attributes.ts";
import type { Shape } from "../shape.ts";

/** Where the windows of a convolution or pooling lie along each spatial axis (those after the batch's and the channels'). */
export interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before the first element. */
  readonly before: readonly number[];
  /** What the windows reach beyond the last element; negative: how many elements at the end no window covers. */
  readonly after: readonly number[];
}

/** From an operator's attributes, its kernel, and the spatial sizes of what it read and gave. */
export function windowsOf(
  attributes: NodeAttributes,
  kernel: readonly number[],
  { from, to }: { from: Shape; to: Shape },
): Windows {
  const ones = kernel.map(() => 1);
  const strides = attributes.ints("strides") ?? ones;
  const dilations = attributes.ints("dilations") ?? ones;
  const spans = kernel.map((size, axis) => {
    const reach = ((to[axis] as number) - 1) * (strides[axis] as number);
    return reach + (size - 1) * (dilations[axis] as number) + 1;
  });
  const before = paddingBefore(attributes, spans, from);
  const after = spans.map((span, axis) => span - (before[axis] as number) - (from[axis] as number));
  return { kernel, strides, dilations, before, after };
}

function paddingBefore(attributes: NodeAttributes, spans: readonly number[], from: Shape): readonly number[] {
  const mode = attributes.string("auto_pad", "NOTSET");
  if (mode === "NOTSET") return attributes.ints("pads")?.slice(0, spans.length) ?? spans.map(() => 0);
  const totals = spans.map((span, axis) => Math.max(0, span - (from[axis] as number)));
  if (mode === "SAME_UPPER") return totals.map((total) => Math.floor(total / 2));
  if (mode === "SAME_LOWER") return totals.map((total) => Math.ceil(total / 2));
  assert.equal(mode, "VALID", "auto_pad is one of ONNX's");
  return spans.map(() => 0);
}

/** `pads` of the convolution or transposed convolution with these windows: nothing where they end before the last element. */
export function padsOf({ before, after }: Windows): readonly number[] {
  return [...before, ...after.map((size) => Math.max(0, size))];
}

/** How many elements at each axis' end no window covers. */
export function uncovered({ after }: Windows): readonly number[] {
  return after.map((size) => Math.max(0, -size));
}

/** Of each window, row-major, how many of its elements are none of the padding. */
export function windowCounts(windows: Windows, { from, to }: { from: Shape; to: Shape }): Float32Array {
  const perAxis = windows.kernel.map((size, axis) =>
    Array.from({ length: to[axis] as number }, (_, at) => {
      const start = at * (windows.strides[axis] as number) - (windows.before[axis] as number);
      const positions = Array.from(
        { length: size },
        (_, k) => start + k * (windows.dilations[axis] as number),
      );
      return positions.filter((position) => position >= 0 && position < (from[axis] as number)).length;
    }),
  );
  const counts = perAxis.reduce(
    (all, axis) => all.flatMap((count) => axis.map((other) => count * other)),
    [1],
  );
  return Float32Array.from(counts);
}
