import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { encodeValues } from "../encode-values.ts";
import type { TrainedModel } from "../trained-model.ts";
import { positiveMutualInformation } from "./co-occurrence.ts";
import { trainEntityFromCoOccurrence } from "./train-from-co-occurrence.ts";

const groups = [
  ["bread", "butter", "jam", "honey", "toast"],
  ["nail", "hammer", "saw", "drill", "glue"],
  ["tent", "rope", "lamp", "stove", "boots"],
];

/** Baskets of two to four of one group; "lamp" and "glue" also go with others now and then. */
function baskets(count: number, seed: number): string[][] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const group = groups[random.below(groups.length)] as string[];
    const basket = random.shuffle([...group]).slice(0, 2 + random.below(3));
    return random.uniform() < 0.1 ? [...basket, "lamp", "glue"] : basket;
  });
}

async function cosines(model: TrainedModel, values: readonly (string | string[])[]) {
  const { values: vectors, dimensions } = await encodeValues(model, values);
  return (a: number, b: number) => {
    let sum = 0;
    for (let i = 0; i < dimensions; i += 1) {
      sum += (vectors[a * dimensions + i] as number) * (vectors[b * dimensions + i] as number);
    }
    return sum;
  };
}

test("categories with the same company are near each other, others are not", async () => {
  const model = await trainEntityFromCoOccurrence(baskets(600, 1), { dimensions: 6, seed: 1 });
  const names = groups.flat();
  const cosine = await cosines(model, names);
  for (let a = 0; a < names.length; a += 1) {
    const nearest = [...names.keys()].filter((b) => b !== a).sort((b, c) => cosine(a, c) - cosine(a, b));
    expect(Math.floor((nearest[0] as number) / 5), names[a]).toBe(Math.floor(a / 5));
  }
  expect(cosine(0, 1)).toBeGreaterThan(cosine(0, 5) + 0.3);
});

// Three baskets: ab, ab, ac. Pairs: a 3, b 2, c 1; P'(a) = 3^.75 / (3^.75 + 2^.75 + 1).
test("mutual information is what the definition says", () => {
  const { starts, indices, values } = positiveMutualInformation(
    [
      [0, 1],
      [0, 1],
      [0, 2],
    ],
    3,
  );
  const total = 3 ** 0.75 + 2 ** 0.75 + 1;
  const expected = new Map([
    ["0 1", Math.log(2 / (2 * (3 ** 0.75 / total)))],
    ["0 2", Math.log(1 / (1 * (3 ** 0.75 / total)))],
    ["1 0", Math.log(2 / (3 * (2 ** 0.75 / total)))],
    ["2 0", Math.log(1 / (3 * (1 / total)))],
  ]);
  const found = [0, 1, 2].flatMap((row) =>
    Array.from(indices.subarray(starts[row], starts[row + 1]), (column, at) => ({
      at: `${row} ${column}`,
      value: values[(starts[row] as number) + at] as number,
    })),
  );
  expect(found.map(({ at }) => at).sort()).toEqual(
    [...expected.keys()].filter((at) => (expected.get(at) as number) > 0).sort(),
  );
  for (const { at, value } of found) expect(value).toBeCloseTo(expected.get(at) as number, 6);
});

test("a record is the mean of its categories, each once, in any order", async () => {
  const model = await trainEntityFromCoOccurrence(baskets(200, 1), { dimensions: 4, seed: 1 });
  const cosine = await cosines(model, [["jam", "saw"], ["saw", "jam", "jam"], "jam"]);
  expect(cosine(0, 1)).toBeCloseTo(1, 6);
  expect(cosine(0, 2)).toBeLessThan(0.999);
});

test("rare categories share the buckets, unknown ones too; without buckets they say nothing", async () => {
  const rare = Array.from({ length: 40 }, (_, i) => ["bread", "butter", `rare bread ${i}`]);
  const data = [...baskets(200, 1), ...rare];
  const options = { dimensions: 4, seed: 1, categoryRecordsMin: 5 };
  const shared = await cosines(await trainEntityFromCoOccurrence(data, { ...options, buckets: 2 }), [
    "rare bread 3",
    "never seen",
    "jam",
    "nail",
  ]);
  expect(shared(0, 0)).toBeCloseTo(1, 6);
  expect(shared(1, 1)).toBeCloseTo(1, 6);
  expect(shared(0, 2)).toBeGreaterThan(shared(0, 3) + 0.3);
  const alone = await cosines(await trainEntityFromCoOccurrence(data, { ...options, buckets: 0 }), [
    "rare bread 3",
    ["bread", "never seen"],
    "bread",
  ]);
  expect(alone(0, 0)).toBe(0);
  expect(alone(1, 2)).toBeCloseTo(1, 6);
});

test("the table is bounded however many categories there are", async () => {
  const many = Array.from({ length: 3_000 }, (_, i) => [`a${i % 700}`, `b${i % 300}`]);
  const model = await trainEntityFromCoOccurrence(many, {
    ...{ dimensions: 3, seed: 1, vocabularyMax: 10, buckets: 4 },
  });
  expect(model.metrics["train/categories"]).toBe(10);
  expect(model.files.get("model.onnx")?.length).toBeLessThan(1_000);
});

test("the same seed gives the same files", async () => {
  const train = () => trainEntityFromCoOccurrence(baskets(100, 1), { dimensions: 4, seed: 3 });
  expect((await train()).files).toEqual((await train()).files);
});

test("records of one category each can't train it", async () => {
  await expect(
    trainEntityFromCoOccurrence(["a", "b", ["a"]], { dimensions: 2, seed: 1 }),
  ).rejects.toMatchObject({
    code: "training_data_invalid",
    message: "in none of the 3 records two categories occur together",
  });
});
