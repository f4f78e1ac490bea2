import { strict as assert } from "node:assert";
import type { NumberSpace } from "../config/definition.ts";
import type { Encoder } from "../encoder.ts";
import type { Fields } from "../fields.ts";
import { fail, succeed } from "../result.ts";
import { pureEncoder, type Segment } from "./pure-encoder.ts";

/** The value to be near to, or the end of the range to be near to. */
export type NumberQuery = number | "high" | "low";

export interface NumberScale {
  readonly range: readonly [min: number, max: number];
  readonly scale: "linear" | "log";
}

export const numberDimensions = 2;

/**
 * A number as a point on a quarter circle: `[sin(tπ/2), cos(tπ/2)]`, where t is its place in the range, 0 at the lower
 * end and 1 at the upper. The cosine of two numbers is the cosine of the angle between them: 1 where they are equal, 0
 * between the ends of the range, falling all the way. Values outside the range count as the nearest end.
 */
export function numberSegment(value: number, scale: NumberScale): Segment {
  if (!Number.isFinite(value)) return fail({ message: `${value} is no finite number` });
  const angle = (positionIn(value, scale) * Math.PI) / 2;
  return succeed(Float32Array.of(Math.sin(angle), Math.cos(angle)));
}

/** `high` is `[1, 0]`, so that it scores sin(tπ/2), and `low` is `[0, 1]`; a number is encoded like a record's. */
export function numberQuerySegment(query: NumberQuery, scale: NumberScale): Segment {
  if (query === "high") return succeed(Float32Array.of(1, 0));
  if (query === "low") return succeed(Float32Array.of(0, 1));
  if (typeof query === "number") return numberSegment(query, scale);
  return fail({ message: `${JSON.stringify(query)} is no number`, mend: 'give a number, "high" or "low"' });
}

export function numberEncoder(
  space: string,
  definition: Pick<NumberSpace<Fields>, "range" | "scale">,
): Encoder<number, NumberQuery> {
  const [min, max] = definition.range;
  const scale: NumberScale = { range: [min, max], scale: definition.scale ?? "linear" };
  assert(min < max && Number.isFinite(max - min), "a range goes from a lower to a higher finite number");
  assert(scale.scale === "linear" || min > 0, "a log range is above 0");
  return pureEncoder({
    space,
    dimensions: numberDimensions,
    decides: { encoder: "number", algorithm: 1, ...scale },
    segment: (value: number) => numberSegment(value, scale),
    querySegment: (query: NumberQuery) => numberQuerySegment(query, scale),
  });
}

/** From 0 at the lower end of the range to 1 at the upper. */
function positionIn(value: number, { range: [min, max], scale }: NumberScale): number {
  const within = Math.min(Math.max(value, min), max);
  return scale === "log" ? Math.log(within / min) / Math.log(max / min) : (within - min) / (max - min);
}
