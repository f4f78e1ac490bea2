import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { encodeValues } from "../encode-values.ts";
import { denseMatrix } from "../linear-algebra/matrix.ts";
import { periodogram, strongestFrequencies } from "./frequencies.ts";
import { mostFrequent, type TimeExample, trainTime2Vec } from "./train-time2vec.ts";

const dayMs = 86_400_000;
const hourMs = dayMs / 24;
const begin = Date.parse("2021-03-01T00:00:00Z");

/** Moments at random over `days`, and what `of` says of the hours since their beginning, with noise. */
function examples(
  count: number,
  { days, of, seed = 1 }: { days: number; of: (hours: number) => number; seed?: number },
) {
  const random = new Random(seed);
  return Array.from({ length: count }, (): TimeExample => {
    const hours = random.uniform() * days * 24;
    return { timeMs: begin + hours * hourMs, target: of(hours) + 0.3 * random.normal() };
  });
}

const wave = (periodHours: number) => (hours: number) => Math.sin((2 * Math.PI * hours) / periodHours + 1);

test.for([37.3, 24, 13.37])("a period of %f hours is found in moments at random", async (periodHours) => {
  const data = examples(800, { days: 200, of: wave(periodHours) });
  const model = await trainTime2Vec(data, { dimensions: 3, seed: 1, name: "wave" });
  // The span tells periods apart that differ by a cycle in 200 days; what is found is a tenth of that off at most.
  const cycles = (hours: number) => (200 * 24) / hours;
  const found = model.metrics["time2vec/period-1-hours"] as number;
  expect(Math.abs(cycles(found) - cycles(periodHours))).toBeLessThan(0.1);
  expect(model.metrics["validation/mse"]).toBeLessThan(0.2); // The noise has .09, the target .5 more.
});

test("moments of the same phase are near each other, opposite ones are not, beyond what was trained on too", async () => {
  const data = examples(1_500, { days: 100, of: wave(24) });
  const model = await trainTime2Vec(data, { dimensions: 3, seed: 1, name: "wave" });
  const at = (hours: number) => begin + hours * hourMs;
  const later = 110 * 24;
  const { values } = await encodeValues(model, [at(later + 7), at(later + 31), at(later + 19)]);
  const cosine = (a: number, b: number) =>
    [0, 1, 2].reduce((sum, i) => sum + (values[3 * a + i] as number) * (values[3 * b + i] as number), 0);
  expect(cosine(0, 1)).toBeGreaterThan(0.98);
  expect(cosine(0, 2)).toBeLessThan(cosine(0, 1) - 0.5);
});

test("two periods are found one after the other, the stronger first", async () => {
  const random = new Random(2);
  const days = Float64Array.from({ length: 600 }, () => random.uniform() * 90);
  const values = Float64Array.from(
    days,
    (day) => 3 * day + 2 * Math.sin(2 * Math.PI * day) + Math.cos((2 * Math.PI * day) / 7),
  );
  const found = await strongestFrequencies(
    { days, values: { rows: 600, columns: 1, values } },
    { count: 2, frequencyMax: 6, random },
  );
  expect(found[0]).toBeCloseTo(1, 2);
  expect(found[1]).toBeCloseTo(1 / 7, 2);
});

test("the periodogram is the definition's", async () => {
  const random = new Random(3);
  const days = Float64Array.from({ length: 20 }, () => random.uniform() * 10);
  const values = { ...denseMatrix(20, 1), values: days.map(() => random.normal()) };
  const powers = await periodogram(days, values, { step: 0.05, candidates: 100 });
  for (const k of [1, 37, 100]) {
    let [x, y] = [0, 0];
    for (const [row, day] of days.entries()) {
      x += (values.values[row] as number) * Math.cos(2 * Math.PI * 0.05 * k * day);
      y += (values.values[row] as number) * Math.sin(2 * Math.PI * 0.05 * k * day);
    }
    expect(powers?.[k]).toBeCloseTo(x * x + y * y, 8);
  }
});

test("ten years from the origin a phase is still that of double precision", async () => {
  const days = 20 * 365;
  const data = examples(400, { days, of: wave(5) });
  const model = await trainTime2Vec(data, { dimensions: 3, seed: 1, name: "wave" });
  // Both are near the end of the span. A cosine of 1 - 2e-6 is an angle of 2e-3, a 3,000th of a turn.
  const period = (model.metrics["time2vec/period-1-hours"] as number) * hourMs;
  const far = begin + (days - 1) * dayMs;
  const { values } = await encodeValues(model, [far, far + period, far + 1_000 * 5]);
  const angle = (row: number) => Math.atan2(values[3 * row + 1] as number, values[3 * row + 2] as number);
  expect(Math.abs(angle(0) - angle(1))).toBeLessThan(0.01);
  // Five seconds are a 3,600th of the period: 1.7e-3, and it is seen.
  expect(Math.abs(angle(2) - angle(0))).toBeGreaterThan(0.0005);
  expect(Math.abs(angle(2) - angle(0))).toBeLessThan(0.004);
});

test("classes are learned as numbers are", async () => {
  const random = new Random(4);
  const data = Array.from({ length: 600 }, (): TimeExample => {
    const hours = Math.floor(random.uniform() * 60 * 24);
    const isNight = hours % 24 < 6;
    return { timeMs: begin + hours * hourMs, target: isNight ? "night" : "day" };
  });
  const model = await trainTime2Vec(data, { dimensions: 9, seed: 1, name: "part" });
  expect(model.metrics["time2vec/period-1-hours"]).toBeCloseTo(24, 0);
  expect(model.metrics["validation/accuracy"]).toBeGreaterThan(0.9);
});

test("the same seed gives the same files", async () => {
  const train = () =>
    trainTime2Vec(examples(60, { days: 20, of: wave(24) }), { dimensions: 4, seed: 5, name: "wave" });
  expect((await train()).files).toEqual((await train()).files);
});

test("examples of one moment, too few, or all the same can't train it", async () => {
  const options = { dimensions: 3, seed: 1, name: "sensors.load" };
  const invalid = (message: string) => ({ code: "training_data_invalid", message });
  const once = Array.from({ length: 30 }, (_, i) => ({ timeMs: begin, target: i }));
  await expect(trainTime2Vec(once, options)).rejects.toMatchObject(
    invalid("sensors.load: all 30 examples are of one moment"),
  );
  await expect(trainTime2Vec(examples(10, { days: 3, of: wave(24) }), options)).rejects.toMatchObject(
    invalid("sensors.load: only 10 rows to train on, at least 20 are needed"),
  );
  const flat = once.map((_, i) => ({ timeMs: begin + i * hourMs, target: 7 }));
  await expect(trainTime2Vec(flat, options)).rejects.toMatchObject({ code: "training_data_invalid" });
});

test("a signal that comes while periods are looked for ends the search, and what was found is kept", async () => {
  const train = (stopsAt: string) => {
    const controller = new AbortController();
    const stages = new Set<string>();
    const model = trainTime2Vec(examples(400, { days: 60, of: wave(24) }), {
      ...{ dimensions: 9, seed: 1, name: "wave", signal: controller.signal },
      onProgress: ({ stage, done }) => {
        stages.add(stage);
        if (stage === stopsAt && done > 0) controller.abort();
      },
    });
    return { model, stages };
  };
  const early = train("period 1");
  await expect(early.model).rejects.toThrow(/aborted/);
  expect([...early.stages]).toEqual(["period 1"]);
  const late = train("period 2");
  const { metrics, files } = await late.model;
  expect([...late.stages]).toEqual(["period 1", "period 2"]);
  expect(metrics["time2vec/period-1-hours"]).toBeCloseTo(24, 0);
  expect(files.has("model.onnx")).toBe(true);
});

test("timers have their turn while a periodogram is made", async () => {
  const days = Float64Array.from({ length: 1_000 }, (_, at) => at);
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  const { signal } = controller;
  const powers = await periodogram(days, denseMatrix(1_000, 3), { step: 0.01, candidates: 1_000, signal });
  expect(powers).toBeNull();
});

test("of many classes those of most rows are searched for periods, numbers as they are", () => {
  // Rows of the classes 2, 0, 2, 1, 2, 0.
  const oneHot = Float32Array.from(
    [2, 0, 2, 1, 2, 0].flatMap((of) => [0, 1, 2].map((at) => (at === of ? 1 : 0))),
  );
  expect(mostFrequent(oneHot, 3, 2)).toEqual({
    ...{ rows: 6, columns: 2 },
    values: Float64Array.of(1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1),
  });
  expect([...mostFrequent(Float32Array.of(-1, 2), 1, 2).values]).toEqual([-1, 2]);
});
