import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "@medley/core";
import type { SeriesValue } from "@medley/models";
import { type FeaturesManifest, seriesFeatures } from "@medley/models";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { encodeValues } from "../encode-values.ts";
import { type SeriesKind, seriesKinds } from "./forecaster.ts";
import type { SeriesTrainingOptions } from "./series-options.ts";
import { isLinear } from "./solve-forecaster.ts";
import { trainSeries } from "./train-series.ts";

const hourMs = 3_600_000;

/** Days of two channels with noise, the second with a slower wave too. */
function days(count: number): SeriesValue {
  const random = new Random(1);
  return {
    times: Array.from({ length: 24 * count }, (_, step) => Date.UTC(2020, 0, 1) + step * hourMs),
    values: Array.from({ length: 24 * count }, (_, step) => [
      5 + Math.sin((2 * Math.PI * step) / 24) + 0.1 * random.normal(),
      50 + Math.sin(step / 50) + 3 * Math.cos((2 * Math.PI * step) / 24) + 0.1 * random.normal(),
    ]),
  };
}

function optionsOf(kind: SeriesKind): SeriesTrainingOptions {
  return {
    kind,
    dimensions: 6,
    seed: 1,
    threads: 1,
    lookback: 24,
    horizon: 6,
    width: 16,
    hiddenWidth: 32,
    heads: 2,
    labelSteps: 12,
    kernel: 9,
    segments: 4,
    learningRate: 5e-3,
    epochsMax: 3,
    split: { shares: [0.6, 0.2, 0.2] },
  };
}

async function serve(model: Uint8Array, row: Float32Array, kind: SeriesKind) {
  const session = await InferenceSession.create(model);
  const feeds: Record<string, Tensor> = { series: new Tensor("float32", row.slice(0, 48), [1, 24, 2]) };
  if (kind === "autoformer" || kind === "informer")
    feeds.marks = new Tensor("float32", row.slice(48), [1, 30, 4]);
  expect(session.inputNames).toEqual(Object.keys(feeds));
  const { embedding, forecast } = await session.run(feeds);
  await session.release();
  return { embedding: embedding as Tensor, forecast: forecast as Tensor };
}

describe.for(seriesKinds)("%s", (kind) => {
  test("learns a day's course, and serves its forecast and embedding by the same features", async () => {
    const series = days(25);
    const stages = new Set<string>();
    const model = await trainSeries([series], {
      ...optionsOf(kind),
      onProgress: ({ stage }) => stages.add(stage),
    });
    expect(model.manifest).toMatchObject({ kind, dimensions: 6, channels: 2, lookback: 24, stepMs: hourMs });
    const learning = isLinear(kind) ? ["least squares", "validation"] : ["epoch 1", "epoch 2", "epoch 3"];
    expect([...stages]).toEqual([...learning, "test"]);
    // The scaled series' variance is about 1: what is left is little of it.
    expect(model.metrics["test/mse"]).toBeLessThan(0.5);
    const { means, deviations } = model.manifest as unknown as { means: number[]; deviations: number[] };
    const features = seriesFeatures(model.manifest as unknown as FeaturesManifest, new Map());
    const row = features.row({
      times: (series.times ?? []).slice(0, 240),
      values: series.values.slice(0, 240),
    });
    if (!row.ok) throw new Error(row.failure.message);
    const { embedding, forecast } = await serve(model.files.get("model.onnx") as Uint8Array, row.value, kind);
    expect(embedding.dims).toEqual([1, 6]);
    expect([...(embedding.data as Float32Array)].every((value) => value !== 0)).toBe(true);
    expect(forecast.dims).toEqual([1, 6, 2]);
    const first = Number(forecast.data[0]) * (deviations[0] as number) + (means[0] as number);
    expect(Math.abs(first - (series.values[240]?.[0] as number))).toBeLessThan(0.6);
  });
});

test("the same seed gives the same bytes, another one does not", async () => {
  const train = (seed: number) =>
    trainSeries([days(10)], { ...optionsOf("informer"), seed, epochsMax: 1, dimensions: 3 });
  const [first, again, other] = [await train(2), await train(2), await train(3)];
  expect(again.files).toEqual(first.files);
  expect(other.files).not.toEqual(first.files);
});

test("linear forecasters are solved: every seed gives the same forecaster, and no other weights fit better", async () => {
  const train = (seed: number) => trainSeries([days(25)], { ...optionsOf("dlinear"), seed });
  const [first, other] = [await train(2), await train(3)];
  expect(other.metrics).toEqual(first.metrics);
  expect(first.metrics["test/mse"]).toBeLessThan(0.05);
  const controller = new AbortController();
  const early = await trainSeries([days(25)], {
    ...optionsOf("dlinear"),
    signal: controller.signal,
    onProgress: ({ stage }) => stage === "least squares" && controller.abort(),
  });
  expect(early.curves[0]?.points).toHaveLength(1);
  expect(early.files.has("model.onnx")).toBe(true);
});

test("a training that is stopped keeps what was best so far", async () => {
  const controller = new AbortController();
  const model = await trainSeries([days(10)], {
    ...optionsOf("informer"),
    epochsMax: 50,
    signal: controller.signal,
    onProgress: ({ stage }) => {
      if (stage === "epoch 2") controller.abort();
    },
  });
  expect(model.curves.find(({ name }) => name === "validation/mse")?.points).toHaveLength(1);
  expect(model.files.has("model.onnx")).toBe(true);
});

test("of many short series the horizon follows from their length, and the step from their times", async () => {
  const { times, values } = days(20);
  const series = Array.from({ length: 60 }, (_, at) => ({
    times: (times ?? []).slice(6 * at, 6 * at + 34),
    values: values.slice(6 * at, 6 * at + 34),
  }));
  const { horizon: _, ...options } = optionsOf("nlinear");
  const model = await trainSeries(series, { ...options, epochsMax: 1 });
  expect(model.manifest).toMatchObject({ lookback: 24, horizon: 10, stepMs: hourMs });
  expect(model.metrics["test/windows"]).toBeGreaterThan(0);
});

test("a training that was cut off goes on from its checkpoint to the same bytes, another one may not", async () => {
  const checkpoints = await mkdtemp(join(tmpdir(), "medley-series-"));
  // ONNX Runtime keeps the random numbers of dropout to itself.
  const options = { ...optionsOf("autoformer"), dropout: 0 };
  const whole = await trainSeries([days(10)], options);
  const controller = new AbortController();
  const { signal } = controller;
  const onProgress = ({ stage }: { stage: string }) => stage === "epoch 2" && controller.abort();
  await trainSeries([days(10)], { ...options, checkpoints, signal, onProgress });
  const resumed = await trainSeries([days(10)], { ...options, checkpoints });
  expect(resumed.files).toEqual(whole.files);
  await expect(trainSeries([days(10)], { ...options, kernel: 5, checkpoints })).rejects.toMatchObject({
    code: "run_damaged",
  });
  await rm(checkpoints, { recursive: true });
});

test("series without times have no calendar, and steps that are their readings", async () => {
  const { values } = days(10);
  const model = await trainSeries([{ times: null, values }], { ...optionsOf("autoformer"), epochsMax: 1 });
  expect(model.manifest).toMatchObject({ stepMs: null, calendar: false });
});

test("two windows in which hardly anything happens are near each other, whatever little does", async () => {
  const { values } = days(25);
  const model = await trainSeries([{ times: null, values }], { ...optionsOf("dlinear"), dimensions: 8 });
  const { means } = model.manifest as unknown as { means: number[] };
  const flat = (by: number) => ({
    times: null,
    values: Array.from({ length: 24 }, () => means.map((mean) => mean + by)),
  });
  const table = await encodeValues(model, [flat(0.05), flat(-0.05), flat(3)]);
  const [up, down, far] = [0, 1, 2].map((row) => table.values.subarray(row * 8, (row + 1) * 8));
  const dot = (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, value, at) => sum + value * (b[at] as number), 0);
  expect(dot(up as Float32Array, down as Float32Array)).toBeGreaterThan(0.9);
  expect(dot(up as Float32Array, far as Float32Array)).toBeLessThan(0.8);
});
