/** Seeds that found a mistake, and what it was. They are run first, each time. */
export const regressionSeeds: readonly { readonly seed: number; readonly found: string }[] = [
  {
    seed: 13,
    found:
      "a log gave the indexer two versions of a record together, which no statement can write: they came for ever",
  },
  {
    seed: 91,
    found: "records that all broke their encoder had no neighbour to tell it by: their packet came for ever",
  },
  {
    seed: 1315,
    found: "with indexers away what was embedded piled up, while producers looked at what was not",
  },
  {
    seed: 3989,
    found: "an encoder that was away while records were isolated made a dead letter of a good one",
  },
];
