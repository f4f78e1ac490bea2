import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { expectedCalibrationError } from "../evaluation/calibration.ts";
import {
  fitTemperature,
  headLogitsOf,
  initialHead,
  probabilitiesOf,
  trainedHead,
} from "./classifier-head.ts";

/** Labels drawn from softmax(logits), and the logits as a model that is `factor` times too sure gives them. */
function sure(factor: number): { logits: Float64Array; labels: number[] } {
  const random = new Random(3);
  const rows = 4_000;
  const logits = Float64Array.from({ length: rows * 3 }, () => 1.5 * random.normal());
  const probabilities = probabilitiesOf(logits, { classCount: 3, temperature: 1 });
  const labels = Array.from({ length: rows }, (_, row) => {
    const drawn = random.uniform();
    const first = probabilities[row * 3] as number;
    return drawn < first ? 0 : drawn < first + (probabilities[row * 3 + 1] as number) ? 1 : 2;
  });
  return { logits: logits.map((logit) => logit * factor), labels };
}

test.each([0.4, 1, 4])("the temperature of a model that is %d times too sure is found", (factor) => {
  const { logits, labels } = sure(factor);
  const temperature = fitTemperature(logits, labels, { classCount: 3 });
  expect(temperature / factor).toBeGreaterThan(0.9);
  expect(temperature / factor).toBeLessThan(1.1);
  const errorAt = (at: number) =>
    expectedCalibrationError(labels, probabilitiesOf(logits, { classCount: 3, temperature: at }), {
      classCount: 3,
    });
  expect(errorAt(temperature)).toBeLessThan(0.03);
  if (factor !== 1) expect(errorAt(1)).toBeGreaterThan(0.08);
});

test("a few rows that are all right make no model that is never in doubt", () => {
  const logits = Float64Array.of(4, -4, 4, -4, -4, 4, -4, 4);
  const temperature = fitTemperature(logits, [0, 0, 1, 1], { classCount: 2 });
  const [first] = probabilitiesOf(logits, { classCount: 2, temperature });
  expect(first).toBeCloseTo(5 / 6, 2);
});

test("a head that goes into the graph and comes out again is the same", () => {
  const head = { weight: Float32Array.of(1, 2, 3, 4, 5, 6), bias: Float32Array.of(7, 8) };
  const { weight, bias } = initialHead(head);
  const tensors = new Map([
    ["head/weight", { dims: [3, 2], data: weight }],
    ["head/bias", { dims: [2], data: bias }],
  ]);
  expect(trainedHead(tensors)).toEqual(head);
  expect([...headLogitsOf(head, Float32Array.of(1, 0, 1))]).toEqual([11, 18]);
});
