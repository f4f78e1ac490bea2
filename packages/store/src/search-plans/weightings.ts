/** A weight per space, in the order of the fused vector. */
export type Weighting = readonly number[];

const randomCount = 64;
const structuredMax = 64;

/**
 * Weightings to learn from: all spaces alike, one alone or turned round, one that counts 5 or 20 times as much as the others,
 * two of them; and as many at random, spaces left out and turned round among them. The same each time; at most 128.
 */
export function sampleWeightings(spacesCount: number, random: () => number): Weighting[] {
  const spaces = Array.from({ length: spacesCount }, (_, space) => space);
  const made = (weightOf: (space: number) => number) => spaces.map(weightOf);
  const pairs = spaces.flatMap((a) => spaces.filter((b) => b > a).map((b) => [a, b] as const));
  const structured = [
    made(() => 1),
    ...spaces.map((one) => made((space) => (space === one ? 1 : 0))),
    ...spaces.map((one) => made((space) => (space === one ? -1 : 0))),
    ...[5, 20].flatMap((weight) => spaces.map((one) => made((space) => (space === one ? weight : 1)))),
    ...pairs.map(([a, b]) => made((space) => (space === a || space === b ? 1 : 0))),
  ];
  const drawn = Array.from({ length: randomCount }, () => randomWeighting(spacesCount, random));
  return distinct([...structured.slice(0, structuredMax), ...drawn]);
}

/** From a tenth to ten, each as likely as ten times as much; a third left out, a sixth of the rest turned round. */
function randomWeighting(spacesCount: number, random: () => number): Weighting {
  const weights = Array.from({ length: spacesCount }, () => {
    const size = 10 ** (2 * random() - 1);
    const [kept, turned] = [random(), random()];
    return kept < 1 / 3 ? 0 : turned < 1 / 6 ? -size : size;
  });
  return weights.every((weight) => weight === 0) ? weights.map(() => 1) : weights;
}

function distinct(weightings: readonly Weighting[]): Weighting[] {
  return [...new Map(weightings.map((weights) => [String(weights), weights])).values()];
}

/** Of length 1: what a plan is looked up by. */
export function sharesOf(weights: Weighting): number[] {
  const length = Math.hypot(...weights);
  return weights.map((weight) => weight / length);
}
