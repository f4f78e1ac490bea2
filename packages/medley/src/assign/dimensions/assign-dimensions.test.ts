import { expect, test } from "vitest";
import { rows, shopOptions } from "../shop.fixture.ts";
import { type AssignDimensionsOptions, assignDimensions } from "./assign-dimensions.ts";

async function optionsOf(more: Partial<AssignDimensionsOptions>): Promise<AssignDimensionsOptions> {
  return { ...(await shopOptions({})), budget: 30, ...more };
}

test("what serves each space is encoded, and one that is ended goes on from there", async () => {
  const ending = new AbortController();
  const given = await optionsOf({
    signal: ending.signal,
    onProgress: (candidate) => candidate.includes("shape") && ending.abort(),
  });
  const ended = await assignDimensions(given);
  expect(ended.split).toBe(null);
  expect(ended.measured).toBeLessThan(ended.candidates.length);
  const again: string[] = [];
  const { signal } = new AbortController();
  const whole = await assignDimensions({
    ...given,
    signal,
    onProgress: (candidate) => again.push(candidate),
  });
  // One for each space: a choice serves by its first candidate.
  expect(whole.candidates.map(({ space, name }) => `${space}: ${name}`)).toContain("place: category");
  expect(whole.candidates).toHaveLength(6);
  expect(again.some((candidate) => candidate.includes("place"))).toBe(false);
  expect(whole.split).toMatchObject({ from: 36, to: 30 });
});

test("a few records are refused with the mend", async () => {
  const few = async function* () {
    yield* rows.slice(0, 30);
  };
  const records = { name: "few rows", read: few, skipped: { count: 0, first: null } };
  await expect(assignDimensions(await optionsOf({ records }))).rejects.toMatchObject({
    code: "training_data_invalid",
    message: expect.stringContaining("few rows holds 30 records"),
  });
});
