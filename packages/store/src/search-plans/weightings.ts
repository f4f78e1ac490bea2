/** A weight per space, in the order of the fused vector. */
export type Weighting = readonly number[];

const randomCount = 64;
const randomPerQuery = 16;
const structuredMax = 80;
/** Half-way between two spaces alike and the first alone, by the angle. */
const steep = Math.tan(Math.PI / 8);

/**
 * Weightings to learn from: all spaces alike, one alone or turned round, one that counts 5 or 20 times as much as the others, two of
 * them, one of which may be turned round or count 2.4 times as much; and others at random, spaces left out and turned round among them. The same each time.
 */
export class SampledWeightings {
  readonly #structured: readonly Weighting[];
  readonly #random: readonly Weighting[];

  constructor(spacesCount: number, random: () => number) {
    const spaces = Array.from({ length: spacesCount }, (_, space) => space);
    const made = (weightOf: (space: number) => number) => spaces.map(weightOf);
    const pairs = spaces.flatMap((a) => spaces.filter((b) => b > a).map((b) => [a, b] as const));
    const structured = [
      made(() => 1),
      ...spaces.map((one) => made((space) => (space === one ? 1 : 0))),
      ...spaces.map((one) => made((space) => (space === one ? -1 : 0))),
      ...[5, 20].flatMap((weight) => spaces.map((one) => made((space) => (space === one ? weight : 1)))),
      ...pairs.map(([a, b]) => made((space) => (space === a || space === b ? 1 : 0))),
      ...pairs.map(([a, b]) => made((space) => (space === a ? 1 : space === b ? -1 : 0))),
      ...pairs.map(([a, b]) => made((space) => (space === a ? -1 : space === b ? 1 : 0))),
      ...pairs.map(([a, b]) => made((space) => (space === a ? 1 : space === b ? steep : 0))),
      ...pairs.map(([a, b]) => made((space) => (space === a ? steep : space === b ? 1 : 0))),
    ];
    this.#structured = distinct(structured.slice(0, structuredMax));
    this.#random = Array.from({ length: randomCount }, () => randomWeighting(spacesCount, random));
  }

  /** Those that a query is weighed in, at most 96: of the ones at random a quarter, by turns, since many queries say more. */
  of(query: number): readonly Weighting[] {
    const first = (query * randomPerQuery) % randomCount;
    return distinct([...this.#structured, ...this.#random.slice(first, first + randomPerQuery)]);
  }
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

/**
 * Whether a query so weighted tells how well it is searched for. It does not where it asks for nothing, and not where two spaces or more count,
 * all of which ask for one row: its best rows are found by anything, and a plan that was judged by many such would miss those of the others.
 * `sides`: 0 where the query says nothing of the space.
 */
export function judgesPlans(
  weights: Weighting,
  { sides, areShared }: { readonly sides: readonly number[]; readonly areShared: readonly boolean[] },
): boolean {
  const counting = areShared.filter((_, space) => weights[space] !== 0 && sides[space] !== 0);
  return counting.length === 1 || counting.includes(false);
}
