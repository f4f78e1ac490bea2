import { strict as assert } from "node:assert";
import type { RecencySpace } from "../config/definition.ts";
import type { Encoder } from "../encoder.ts";
import type { Fields } from "../fields.ts";
import { normalize } from "../fuse.ts";
import type { Clock } from "../ports/clock.ts";
import { parseValue } from "../record/parse-value.ts";
import { fail, succeed } from "../result.ts";
import { pureEncoder, type Segment } from "./pure-encoder.ts";

/*
 * Recency that never goes stale.
 *
 * A timestamp t is an angle φ = 2πt/T on a circle of period T, stored as b_k·[cos kφ, sin kφ], k = 1..K: it never
 * changes. A query at `now` is c_k·[cos kφ_now, sin kφ_now]. With δ the angle between them, the score is
 *
 *   Σ b_k c_k cos kδ,   b_k c_k ∝ σ_k a_k:   the Fourier series of the decay, cut at K and damped by σ_k,
 *
 * a_k = (1 - (-1)^k e^(-λπ)) / (λ² + k²) being that of 0.5^(age / half-life) on both sides of now (λ = ln 2 / half-life
 * in radians). A cut series ripples, and ripples put older records before newer ones. The damping
 *
 *   σ_k = (1 - k/n) · sin(πk/n) / (πk/n),   n = K + 1   (Fejér's times Lanczos's)
 *
 * keeps the order exactly, for every half-life. Proof: k σ_k ∝ (n - k) sin(πk/n) ∝ p_(k-1) - p_(k+1), where p_k are the
 * coefficients of p(δ) = |Σ_j sin(πj/n) e^(ijδ)|², the Fejér-Korovkin kernel. So the kernel V = ½ + Σ σ_k cos kδ has
 * V'(δ) = -const · sin δ · p(δ) ≤ 0: it falls on (0, π). Convolved with any even decay d that falls on (0, π) it gives
 * f'(x) = (1/π) ∫ d'(t) (V(x - t) - V(x + t)) dt over (0, π), which is ≤ 0 since x - t is nearer to 0 than x + t.
 *
 * b_k² ∝ σ_k / k serves two ends. Two records compare by Σ b_k² cos kδ, the damped series of -ln(2 sin(δ/2)), which by the
 * same proof falls with the time between them. And a query scores .7 to 1 at age 0 whatever its half-life (with equal
 * b_k: .2 to .8), so a weight means the same for all of them.
 *
 * Fejér 1904; Lanczos 1956, Applied Analysis; Korovkin 1960, Linear Operators and Approximation Theory.
 */

export interface RecencyShape {
  readonly horizonDays: number;
  /** Each takes two dimensions. */
  readonly harmonics: number;
}

/** What a search says: how fast interest halves, counted from when. */
export interface RecencyQuery {
  /** ISO 8601 with a zone, or milliseconds since 1970. Default: the clock. */
  readonly now?: string | number;
  /** Above 0; kept within a ten-thousandth and ten thousand times the horizon. Default: the space's. */
  readonly halfLifeDays?: number;
}

const harmonicsDefault = 32;
/** Of the horizon, where neither query nor space names a half-life. */
const halfLifeShareDefault = 0.25;
/**
 * The circle's period in horizons. Above 2, since a time counts both before and after now. At 2.4 order is kept up to
 * 1.2 horizons, and no record up to 1.4 horizons old scores above one at the horizon; more costs sharpness.
 */
const periodHorizons = 2.4;
const halfLifeRatioMax = 10_000;
const dayMs = 86_400_000;

/** The Fejér-Lanczos damping of harmonic k of K. */
function recencyDamping(k: number, harmonics: number): number {
  const share = k / (harmonics + 1);
  return ((1 - share) * Math.sin(Math.PI * share)) / (Math.PI * share);
}

export function recencyDimensions(shape: RecencyShape): number {
  return 2 * shape.harmonics;
}

/** A timestamp in milliseconds since 1970. */
export function recencySegment(timestampMs: number, shape: RecencyShape): Segment {
  if (!Number.isFinite(timestampMs)) return fail({ message: `${timestampMs} is no time` });
  return succeed(onCircle(timestampMs, shape, (k) => Math.sqrt(recencyDamping(k, shape.harmonics) / k)));
}

export function recencyQuerySegment(nowMs: number, halfLifeDays: number, shape: RecencyShape): Segment {
  const { horizonDays, harmonics } = shape;
  const ratio = Math.min(Math.max(halfLifeDays / horizonDays, 1 / halfLifeRatioMax), halfLifeRatioMax);
  const lambda = (Math.LN2 / ratio) * (periodHorizons / (2 * Math.PI));
  const tail = Math.exp(-lambda * Math.PI);
  return succeed(
    onCircle(nowMs, shape, (k) => {
      const decay = (1 - (k % 2 === 0 ? tail : -tail)) / (1 + (k / lambda) ** 2);
      return decay * Math.sqrt(recencyDamping(k, harmonics) * k);
    }),
  );
}

/** `[cos φ, sin φ, cos 2φ, sin 2φ, …]`, each harmonic times its amplitude, scaled to unit length. */
function onCircle(timeMs: number, shape: RecencyShape, amplitude: (k: number) => number): Float32Array {
  const turns = timeMs / dayMs / (shape.horizonDays * periodHorizons);
  // Whole turns are dropped first: k times a large angle would lose digits.
  const angle = 2 * Math.PI * (turns - Math.floor(turns));
  const segment = new Float32Array(recencyDimensions(shape));
  for (let k = 1; k <= shape.harmonics; k++) {
    segment[2 * k - 2] = amplitude(k) * Math.cos(k * angle);
    segment[2 * k - 1] = amplitude(k) * Math.sin(k * angle);
  }
  return normalize(segment);
}

export function recencyEncoder(
  space: string,
  definition: Pick<RecencySpace<Fields>, "horizonDays" | "harmonics" | "halfLifeDays">,
  clock: Clock,
): Encoder<number, RecencyQuery> {
  const { horizonDays, harmonics = harmonicsDefault } = definition;
  assert(horizonDays > 0 && Number.isSafeInteger(harmonics) && harmonics > 0);
  const shape: RecencyShape = { horizonDays, harmonics };
  const defaults = { halfLifeDays: definition.halfLifeDays ?? horizonDays * halfLifeShareDefault, clock };
  return pureEncoder({
    space,
    dimensions: recencyDimensions(shape),
    decides: { encoder: "recency", algorithm: 1, ...shape },
    segment: (timestampMs: number) => recencySegment(timestampMs, shape),
    querySegment: (query: RecencyQuery) => readQuery(query, defaults, shape),
  });
}

function readQuery(
  query: RecencyQuery,
  defaults: { halfLifeDays: number; clock: Clock },
  shape: RecencyShape,
): Segment {
  const mend = 'give {"now": "2026-01-31T12:00:00Z", "halfLifeDays": 90}; both may be left out';
  if (typeof query !== "object" || query === null || Array.isArray(query))
    return fail({ message: `${JSON.stringify(query)} is no recency query`, mend });
  const unknownKey = Object.keys(query).find((key) => key !== "now" && key !== "halfLifeDays");
  if (unknownKey !== undefined) return fail({ message: `a recency query has no "${unknownKey}"`, mend });
  const halfLifeDays = query.halfLifeDays ?? defaults.halfLifeDays;
  if (typeof halfLifeDays !== "number" || !(halfLifeDays > 0 && Number.isFinite(halfLifeDays)))
    return fail({ message: `halfLifeDays is ${halfLifeDays}; it must be a number above 0`, mend });
  const now = parseValue({ name: "now", type: "timestamp" }, query.now ?? defaults.clock.nowMs(), false);
  if (!now.ok) return fail({ message: `now ${now.failure}`, mend });
  return recencyQuerySegment(now.value as number, halfLifeDays, shape);
}
