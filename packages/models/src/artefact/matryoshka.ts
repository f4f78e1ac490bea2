/** To how many first dimensions a model's vectors may be cut: to any number, to those listed, or to none. */
export type Matryoshka = "any" | readonly number[];

/** Models that say so in what they publish and not in their files; by the end of their name. */
const known: readonly (readonly [name: RegExp, Matryoshka])[] = [
  [/(^|\/)text-embedding-3-(small|large)$/, "any"],
  [/(^|\/)mxbai-embed-large-v1$/, "any"],
  [/(^|\/)Qwen3-Embedding-[\d.]+B$/, "any"],
  [/(^|\/)embeddinggemma-300m$/, [128, 256, 512]],
  [/(^|\/)snowflake-arctic-embed-(m-v1\.5|m-v2\.0|l-v2\.0)$/, [256]],
];

/**
 * What a model says of itself: `matryoshka_dimensions` or `is_matryoshka` in its `config.json`, as vLLM reads them, or else its name. Vectors
 * of others are as much in their last dimensions as in their first.
 */
export function matryoshkaOf(name: string, config: Readonly<Record<string, unknown>> = {}): Matryoshka {
  const { matryoshka_dimensions: dimensions, is_matryoshka: isAny } = config;
  if (Array.isArray(dimensions)) return dimensions.filter((one) => Number.isSafeInteger(one) && one > 0);
  if (isAny === true) return "any";
  const [model] = name.split("#");
  return known.find(([pattern]) => pattern.test(model as string))?.[1] ?? [];
}

export function canBeCut(matryoshka: Matryoshka, to: number): boolean {
  return matryoshka === "any" || matryoshka.includes(to);
}
