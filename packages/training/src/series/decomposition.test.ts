import { expect, test } from "vitest";
import { decompose, segmentMeans } from "./decomposition.ts";
import { normals, runGraph } from "./run-graph.fixture.ts";

test("both parts sum to the series, and the trend is the moving average with both ends repeated", async () => {
  const [batch, steps, channels, kernel] = [2, 30, 3, 7];
  const data = normals(batch * steps * channels);
  const x = { shape: [batch, steps, channels], data };
  const { trend, sum } = await runGraph({ x }, (_, { x }) => {
    const parts = decompose(x as never, kernel);
    return { trend: parts.trend, sum: parts.trend.add(parts.seasonal) };
  });
  for (const [at, value] of sum.entries()) expect(value).toBeCloseTo(data[at] as number, 5);
  const at = (row: number, step: number, channel: number) =>
    data[(row * steps + Math.min(steps - 1, Math.max(0, step))) * channels + channel] as number;
  for (const row of [0, 1]) {
    for (const step of [0, 1, 15, 28, 29]) {
      for (const channel of [0, 2]) {
        let mean = 0;
        for (let near = step - 3; near <= step + 3; near += 1) mean += at(row, near, channel) / kernel;
        expect(trend[(row * steps + step) * channels + channel]).toBeCloseTo(mean, 5);
      }
    }
  }
});

test("means of segments cover every step once", async () => {
  const x = { shape: [1, 5, 2], data: Float32Array.of(1, 10, 2, 20, 3, 30, 4, 40, 5, 50) };
  const { means } = await runGraph({ x }, (_, { x }) => ({ means: segmentMeans(x as never, 2) }));
  expect(means.map((value) => Math.round(value * 1e4) / 1e4)).toEqual([1.5, 15, 4, 40]);
});
