/** The simulator finds what it is there for: each thing that keeps a promise is taken away, and missed within 1,000 seeds. */
import { expect, test } from "vitest";
import { type Mutation, mutations } from "./mutations.ts";
import { simulate } from "./simulate.ts";

const seedsMax = 1_000;

test.for(Object.entries(mutations))("it is found that %s", async ([name, { mutation, broken }]) => {
  let found: { seed: number; message: string } | null = null;
  for (let seed = 1; found === null && seed <= seedsMax; seed += 1) {
    const { violation } = await simulate(seed, { mutation: mutation as Mutation });
    if (violation !== null) found = { seed, message: violation.message };
  }
  expect(found?.message).toMatch(broken);
  console.log(`${name}: found by seed ${found?.seed}: ${found?.message}`);
});
