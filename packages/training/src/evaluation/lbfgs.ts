/** The value at `at`; writes the gradient there into `gradient`. */
export type Objective = (at: Float64Array, gradient: Float64Array) => number;

export interface MinimiseOptions {
  readonly iterationsMax: number;
  /** Ends where no component of the gradient is larger. */
  readonly gradientMax: number;
}

const memoryPairs = 10;
const halvingsMax = 40;
/** The share of the slope that a step has to keep (Armijo's condition). */
const sufficientDecrease = 1e-4;

interface Pair {
  /** The step, and how the gradient changed along it. */
  readonly step: Float64Array;
  readonly change: Float64Array;
  /** 1 / (step · change). */
  readonly inverse: number;
}

/**
 * Minimises a smooth function from `start` by L-BFGS with backtracking (Liu and Nocedal, "On the limited memory BFGS method
 * for large scale optimization", 1989). For convex functions; pairs of no curvature are left out, so each step descends.
 */
export function minimise(objective: Objective, start: Float64Array, options: MinimiseOptions): Float64Array {
  let at = Float64Array.from(start);
  let gradient = new Float64Array(at.length);
  let value = objective(at, gradient);
  const pairs: Pair[] = [];
  for (let iteration = 0; iteration < options.iterationsMax; iteration += 1) {
    if (largest(gradient) <= options.gradientMax) break;
    const direction = descent(gradient, pairs);
    const slope = dot(direction, gradient);
    let length = pairs.length === 0 ? 1 / Math.max(1, largest(gradient)) : 1;
    const next = new Float64Array(at.length);
    const nextGradient = new Float64Array(at.length);
    let nextValue = Number.POSITIVE_INFINITY;
    for (let halvings = 0; halvings < halvingsMax; halvings += 1, length /= 2) {
      for (let i = 0; i < at.length; i += 1) next[i] = (at[i] as number) + length * (direction[i] as number);
      nextValue = objective(next, nextGradient);
      if (nextValue <= value + sufficientDecrease * length * slope) break;
    }
    if (!(nextValue < value)) break; // As low as rounding allows.
    remember(pairs, difference(next, at), difference(nextGradient, gradient));
    at = next;
    gradient = nextGradient;
    value = nextValue;
  }
  return at;
}

/** The inverse of the curvature that `pairs` show, times the gradient, downwards: the two loops of L-BFGS. */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const direction = gradient.map((x) => -x);
  const shares: number[] = [];
  for (const { step, change, inverse } of pairs.toReversed()) {
    const share = inverse * dot(step, direction);
    shares.push(share);
    addTo(direction, -share, change);
  }
  const last = pairs.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.inverse * dot(last.change, last.change));
    for (let i = 0; i < direction.length; i += 1) direction[i] = (direction[i] as number) * scale;
  }
  for (const { step, change, inverse } of pairs) {
    const share = shares.pop() as number;
    addTo(direction, share - inverse * dot(change, direction), step);
  }
  return direction;
}

function remember(pairs: Pair[], step: Float64Array, change: Float64Array): void {
  const curvature = dot(step, change);
  if (curvature <= Number.EPSILON * dot(change, change)) return;
  pairs.push({ step, change, inverse: 1 / curvature });
  if (pairs.length > memoryPairs) pairs.shift();
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((x, i) => x - (b[i] as number));
}

function addTo(target: Float64Array, factor: number, source: Float64Array): void {
  for (let i = 0; i < target.length; i += 1)
    target[i] = (target[i] as number) + factor * (source[i] as number);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function largest(values: Float64Array): number {
  let most = 0;
  for (const x of values) most = Math.max(most, Math.abs(x));
  return most;
}
