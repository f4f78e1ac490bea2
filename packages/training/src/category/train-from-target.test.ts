import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { encodeValues } from "../encode-values.ts";
import type { TrainedModel } from "../trained-model.ts";
import { type EntityExample, trainEntityFromTarget } from "./train-from-target.ts";

const kinds = ["sweet", "sour", "salty"];

/** Names in no order of their kinds: name i is of kind i % 3. */
function kindOf(name: number): number {
  return name % kinds.length;
}

function examples(
  count: number,
  of: (name: number, random: Random) => EntityExample["target"],
): EntityExample[] {
  const random = new Random(1);
  return Array.from({ length: count }, () => {
    const name = random.below(18);
    return { value: `name ${name}`, target: of(name, random) };
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

/** Mean cosine of names of one kind, and of names of two. */
async function withinAndBetween(model: TrainedModel) {
  const cosine = await cosines(
    model,
    Array.from({ length: 18 }, (_, name) => `name ${name}`),
  );
  const [within, between]: [number[], number[]] = [[], []];
  for (let a = 0; a < 18; a += 1) {
    for (let b = 0; b < a; b += 1) (kindOf(a) === kindOf(b) ? within : between).push(cosine(a, b));
  }
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { within: mean(within), between: mean(between) };
}

test("categories that tell the same class come near each other, though they never occur together", async () => {
  const data = examples(2_000, (name, random) =>
    random.uniform() < 0.1 ? (kinds[random.below(3)] as string) : (kinds[kindOf(name)] as string),
  );
  const model = await trainEntityFromTarget(data, { dimensions: 4, seed: 1, name: "food.taste" });
  const { within, between } = await withinAndBetween(model);
  expect(within).toBeGreaterThan(0.9);
  expect(between).toBeLessThan(0.3);
  expect(model.metrics["validation/accuracy"]).toBeGreaterThan(0.85);
});

test("so do those that tell the same number", async () => {
  const data = examples(2_000, (name, random) => 1_000 * kindOf(name) + 100 * random.normal());
  const model = await trainEntityFromTarget(data, { dimensions: 4, seed: 1, name: "food.price" });
  const { within, between } = await withinAndBetween(model);
  expect(within).toBeGreaterThan(0.5);
  expect(between).toBeLessThan(within - 0.5);
  expect(model.metrics["validation/mae"]).toBeLessThan(200);
});

test("an unknown category stands for the average, not for a class", async () => {
  const data = examples(2_000, (name) => kinds[kindOf(name)] as string);
  const model = await trainEntityFromTarget(data, { dimensions: 4, seed: 1, name: "food.taste", buckets: 1 });
  const cosine = await cosines(model, ["never seen", "also not", "name 0", "name 1", "name 2"]);
  expect(cosine(0, 1)).toBeCloseTo(1, 6);
  for (const known of [2, 3, 4]) expect(cosine(0, known)).toBeLessThan(0.9);
});

test("sets of categories are learned from as means", async () => {
  const random = new Random(3);
  const data = Array.from({ length: 1_500 }, (): EntityExample => {
    const kind = random.below(3);
    const names = Array.from({ length: 1 + random.below(4) }, () => `name ${3 * random.below(6) + kind}`);
    return { value: names, target: random.uniform() < 0.05 ? null : (kinds[kind] as string) };
  });
  const model = await trainEntityFromTarget(data, { dimensions: 4, seed: 1, name: "food.taste" });
  const cosine = await cosines(model, [
    ["name 0", "name 3", "name 6"],
    ["name 9", "name 12"],
    ["name 1", "name 4"],
  ]);
  expect(cosine(0, 1)).toBeGreaterThan(0.9);
  expect(cosine(0, 2)).toBeLessThan(0.3);
});

test("the same seed gives the same files", async () => {
  const data = examples(100, (name) => kinds[kindOf(name)] as string);
  const train = () => trainEntityFromTarget(data, { dimensions: 4, seed: 3, name: "food.taste" });
  expect((await train()).files).toEqual((await train()).files);
});

test("targets that can't be learned are refused, by name", async () => {
  const options = { dimensions: 4, seed: 1, name: "food.taste" };
  await expect(
    trainEntityFromTarget(
      examples(50, () => "sweet"),
      options,
    ),
  ).rejects.toMatchObject({
    code: "training_data_invalid",
    message: expect.stringContaining("food.taste"),
  });
  await expect(
    trainEntityFromTarget(
      examples(50, () => Number.NaN),
      options,
    ),
  ).rejects.toMatchObject({
    code: "training_data_invalid",
    message: expect.stringContaining("food.taste"),
  });
  await expect(trainEntityFromTarget([], options)).rejects.toMatchObject({ code: "training_data_invalid" });
});
