/** How searches weigh the spaces. */
export interface Weighting {
  /** `all alike`, `plot 5 times`, `plot alone`. */
  readonly name: string;
  /** By space, in their order. */
  readonly weights: readonly number[];
}

/** All spaces alike, each five times the others, and each alone; of a single space just that. */
export function weightingsOf(spaces: readonly string[]): readonly Weighting[] {
  const alike = { name: "all alike", weights: spaces.map(() => 1) };
  if (spaces.length === 1) return [alike];
  const weighted = (at: number, own: number, other: number) =>
    spaces.map((_, of) => (of === at ? own : other));
  return [
    alike,
    ...spaces.map((space, at) => ({ name: `${space} 5 times`, weights: weighted(at, 5, 1) })),
    ...spaces.map((space, at) => ({ name: `${space} alone`, weights: weighted(at, 1, 0) })),
  ];
}
