import { expect, test } from "vitest";
import type { Graph, Value } from "../engine/index.ts";
import { movingAverageMatrix } from "./decomposition.ts";
import { addForecaster, type ForecasterSize } from "./forecaster.ts";
import { dLinear, nLinear } from "./linear-forecasters.ts";
import { drawn, normals, runGraph } from "./run-graph.fixture.ts";

const [lookback, horizon, channels, kernel] = [10, 4, 2, 5];
const size = { kernel } as ForecasterSize;
const shape = [1, lookback, channels];
const x = normals(lookback * channels, 3);

test("DLinear with fixed weights is its closed form", async () => {
  const trained = drawn((graph) => dLinear({ series: graph.input("x", shape), marks: null }, horizon, size));
  const { forecast } = await runGraph(
    { x: { shape, data: x } },
    (_, { x: series }) => ({
      forecast: dLinear({ series: series as Value, marks: null }, horizon, size).forecast,
    }),
    { trained },
  );
  const average = movingAverageMatrix(lookback, kernel);
  const at = (name: string, index: number) => trained.get(name)?.[index] as number;
  for (let channel = 0; channel < channels; channel += 1) {
    const own = Array.from({ length: lookback }, (_, step) => x[step * channels + channel] as number);
    const trend = own.map((_, step) =>
      own.reduce((sum, value, other) => sum + (average[step * lookback + other] as number) * value, 0),
    );
    for (let ahead = 0; ahead < horizon; ahead += 1) {
      let expected = at("seasonal/bias", ahead) + at("trend/bias", ahead);
      for (const [step, value] of own.entries()) {
        const level = trend[step] as number;
        expected += (value - level) * at("seasonal/weight", step * horizon + ahead);
        expected += level * at("trend/weight", step * horizon + ahead);
      }
      expect(forecast[ahead * channels + channel]).toBeCloseTo(expected, 4);
    }
  }
});

test("a shift of what NLinear sees is the same shift of what it forecasts; DLinear's is not", async () => {
  const forecastOf = async (model: typeof nLinear | typeof dLinear, shift: number) => {
    const trained = drawn((graph: Graph) =>
      model({ series: graph.input("x", shape), marks: null }, horizon, size),
    );
    const data = x.map((value) => value + shift);
    const { forecast } = await runGraph(
      { x: { shape, data } },
      (_, { x: series }) => ({
        forecast: model({ series: series as Value, marks: null }, horizon, size).forecast,
      }),
      { trained },
    );
    return forecast;
  };
  const [before, after] = [await forecastOf(nLinear, 0), await forecastOf(nLinear, 7)];
  for (const [at, value] of before.entries()) expect(after[at]).toBeCloseTo(value + 7, 4);
  const [other, shifted] = [await forecastOf(dLinear, 0), await forecastOf(dLinear, 7)];
  expect(Math.abs((shifted[0] as number) - (other[0] as number) - 7)).toBeGreaterThan(0.1);
});

test("centred, any model's forecast is shifted as its window is, and what it is known by tells the level", async () => {
  const centred = { ...size, centred: true };
  const build = (series: Value) => addForecaster("dlinear", { series, marks: null }, horizon, centred);
  const trained = drawn((graph) => build(graph.input("x", shape)));
  const runOf = (shift: number) =>
    runGraph(
      { x: { shape, data: x.map((value) => value + shift) } },
      (_, { x: series }) => ({ ...build(series as Value) }),
      { trained },
    );
  const [before, after] = [await runOf(0), await runOf(7)];
  for (const [at, value] of before.forecast.entries()) expect(after.forecast[at]).toBeCloseTo(value + 7, 4);
  const features = 2 * horizon * channels;
  for (const [at, value] of before.latent.entries())
    expect(after.latent[at]).toBeCloseTo(at < features ? value : value + 7, 4);
  expect([...before.latent.slice(features + channels)]).toEqual([...before.forecast]);
});
