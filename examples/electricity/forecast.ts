import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { channels, horizon, lookback, type Readings, type Scale } from "./windows.ts";

interface Manifest {
  readonly means: readonly number[];
  readonly deviations: readonly number[];
}

/**
 * What a trained space's model forecasts for the day after each window, in the units of `scales`: [windows][horizon × channels].
 * The artefact is a plain ONNX file, whose other output is the segment.
 */
export async function forecast(
  artefact: string,
  windows: readonly Readings[],
  scales: readonly Scale[],
): Promise<Float64Array[]> {
  const { means, deviations }: Manifest = JSON.parse(readFileSync(join(artefact, "manifest.json"), "utf8"));
  const own = (value: number, channel: number) =>
    (value - (means[channel] as number)) / (deviations[channel] as number);
  const inputs = windows.flatMap(({ values }) => values.flatMap((reading) => reading.map(own)));
  const session = await InferenceSession.create(join(artefact, "model.onnx"));
  try {
    const shape = [windows.length, lookback, channels];
    const outputs = await session.run({ series: new Tensor("float32", Float32Array.from(inputs), shape) }, [
      "forecast",
    ]);
    const values = outputs.forecast?.data as Float32Array;
    const size = horizon * channels;
    assert.equal(values.length, windows.length * size, "a day per window");
    return windows.map((_, row) =>
      Float64Array.from({ length: size }, (_, at) => {
        const channel = at % channels;
        const { mean, deviation } = scales[channel] as Scale;
        const value = (values[row * size + at] as number) * (deviations[channel] as number);
        return (value + (means[channel] as number) - mean) / deviation;
      }),
    );
  } finally {
    await session.release();
  }
}
