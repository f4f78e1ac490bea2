import { expect, test } from "vitest";
import { Graph, openDimension, type Value } from "../engine/index.ts";
import { addForecaster, type ForecasterSize } from "./forecaster.ts";
import { distil } from "./informer.ts";
import { drawn, normals, runGraph } from "./run-graph.fixture.ts";

test.for([8, 9])("distilling %i steps is the maximum of three at every second one", async (steps) => {
  const width = 2;
  const trained = drawn((graph) => distil("d", graph.input("x", [1, steps, width])));
  // The middle of the convolution passes a step through; the norm's first statistics do nothing to it.
  const middle = new Float32Array(3 * width * width);
  for (let at = 0; at < width; at += 1) middle[(width + at) * width + at] = 1;
  trained.set("d/convolution/weight", middle);
  trained.set("d/convolution/bias", new Float32Array(width));
  const x = { shape: [1, steps, width], data: normals(steps * width) };
  const { out } = await runGraph({ x }, (_, { x }) => ({ out: distil("d", x as Value) }), { trained });
  const elu = (value: number) => (value > 0 ? value : Math.exp(value) - 1);
  const at = (step: number) => x.data[step * width] as number;
  for (let step = 0; step < Math.ceil(steps / 2); step += 1) {
    const near = [2 * step - 1, 2 * step, 2 * step + 1].filter((other) => other >= 0 && other < steps);
    expect(out[step * width]).toBeCloseTo(elu(Math.max(...near.map(at))), 3);
  }
});

const size: ForecasterSize = {
  kernel: 5,
  width: 8,
  hiddenWidth: 16,
  heads: 2,
  encoderLayers: 2,
  decoderLayers: 1,
  factor: 1,
  labelSteps: 6,
  dropout: 0.1,
  segments: 3,
  centred: false,
  sampleSeed: 1,
};

test.for([
  ["autoformer", 3 * (8 + 2) + 4 * 2],
  ["informer", 3 * 8 + 4 * 2],
] as const)("%s serves any number of windows, each on its own", async ([kind, latents]) => {
  const build = (graph: Graph, batch: number) => {
    const series = graph.input("series", [batch, 12, 2]);
    return addForecaster(kind, { series, marks: graph.input("marks", [batch, 16, 4]) }, 4, size);
  };
  const trained = drawn((graph) => build(graph, 5));
  const graph = new Graph({ trained });
  const { forecast, latent } = build(graph, openDimension);
  expect(forecast.shape).toEqual([openDimension, 4, 2]);
  expect(latent.shape).toEqual([openDimension, latents]);
  const run = (rows: number) =>
    runGraph(
      {
        series: { shape: [rows, 12, 2], data: normals(3 * 24, 1).slice(0, rows * 24) },
        marks: { shape: [rows, 16, 4], data: normals(3 * 64, 2).slice(0, rows * 64) },
      },
      (_, { series, marks }) => ({
        ...addForecaster(kind, { series: series as Value, marks: marks as Value }, 4, size),
      }),
      { trained },
    );
  const [three, one] = [await run(3), await run(1)];
  for (const [at, value] of one.forecast.entries()) expect(three.forecast[at]).toBeCloseTo(value, 5);
  for (const [at, value] of one.latent.entries()) expect(three.latent[at]).toBeCloseTo(value, 5);
});
