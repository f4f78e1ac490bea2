/** Seeds that found a mistake, and what it was. They are run first, each time. */
export const regressionSeeds: readonly { readonly seed: number; readonly found: string }[] = [];
