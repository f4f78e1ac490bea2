import type { Device, SeriesManifest } from "@medley/models";
import { calendarMarks } from "@medley/models";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { Graph, openDimension, type TrainedTensors, TrainingStep, type Value } from "../engine/index.ts";
import {
  addForecaster,
  type ForecasterInputs,
  type ForecasterSize,
  type KnownWindow,
  type SeriesKind,
} from "./forecaster.ts";
import type { Reduction } from "./principal-components.ts";
import type { SeriesPart } from "./split.ts";
import { batchesInOrder, type SeriesWindows } from "./windows.ts";

/** What a model is built from, for training and for serving. */
export interface SeriesModel {
  readonly kind: SeriesKind;
  readonly sizes: ForecasterSize;
  readonly manifest: SeriesManifest;
}

/** The mean squared error of all targets that are there; a batch takes `targets` and `weights` beside the model's inputs. */
export async function openTraining(
  model: SeriesModel,
  {
    batchWindows,
    seed,
    threads,
    device,
  }: { batchWindows: number; seed: number; threads: number; device?: Device | undefined },
): Promise<TrainingStep> {
  const { channels, horizon } = model.manifest;
  const graph = new Graph({ seed });
  const { forecast } = addTo(graph, model, batchWindows);
  const shape = [batchWindows, horizon, channels];
  const [targets, weights] = [graph.input("targets", shape), graph.input("weights", shape)];
  const squares = forecast.sub(targets).square().mul(weights);
  return TrainingStep.create(graph, squares.sum().div(weights.sum().max(1)), { threads, device });
}

/** The ONNX file for any number of windows: `forecast` and `latent`, or with a reduction `embedding` in the latent's place. */
export function servedModel(model: SeriesModel, trained: TrainedTensors, reduction?: Reduction): Uint8Array {
  const graph = new Graph({ trained });
  const { forecast, latent } = addTo(graph, model, openDimension);
  if (reduction === undefined) return graph.model(new Map(Object.entries({ forecast, latent })));
  return graph.model(new Map(Object.entries({ embedding: reduced(latent, reduction), forecast })));
}

function addTo(graph: Graph, { kind, sizes, manifest }: SeriesModel, batch: number): KnownWindow {
  const { channels, lookback, horizon, stepMs, calendar } = manifest;
  const series = graph.input("series", [batch, lookback, channels]);
  const marks = calendar
    ? graph.input("marks", [batch, lookback + horizon, calendarMarks(stepMs).length])
    : null;
  const inputs: ForecasterInputs = { series, marks };
  return addForecaster(kind, inputs, horizon, sizes);
}

function reduced(latent: Value, { means, deviations, matrix, constant }: Reduction): Value {
  const { graph } = latent;
  const features = means.length;
  const standard = latent.sub(graph.constant(means, [features])).div(graph.constant(deviations, [features]));
  const dimensions = matrix.length / features;
  const last = new Float32Array(dimensions).fill(constant, -1);
  const turned = standard.matmul(graph.constant(matrix, [features, dimensions]));
  return turned.add(graph.constant(last, [dimensions]));
}

/** On validation windows, by the names of metrics. */
export async function validationErrors(
  model: SeriesModel,
  trained: TrainedTensors,
  windows: SeriesWindows,
  threads: number,
): Promise<Record<string, number>> {
  await using session = await SeriesSession.open(servedModel(model, trained), { threads });
  const { mse, mae } = await session.errors(windows, "validation");
  return { "validation/mse": mse, "validation/mae": mae };
}

/** Runs a served model over windows. `close` frees the session. */
export class SeriesSession implements AsyncDisposable {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  static async open(model: Uint8Array, { threads }: { threads: number }): Promise<SeriesSession> {
    const session = await InferenceSession.create(model, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      logSeverityLevel: 4,
      extra: { session: { intra_op: { allow_spinning: "0" } } },
    });
    return new SeriesSession(session);
  }

  /** Of all windows of a part, or of those whose numbers are given, in their order: [windows, ...], flattened. */
  async outputs(
    windows: SeriesWindows,
    part: SeriesPart,
    name: string,
    numbers?: Int32Array,
  ): Promise<Float32Array> {
    const count = numbers?.length ?? windows.counts[part];
    let whole = new Float32Array(0);
    let at = 0;
    for (const batch of batchesInOrder(count, evaluatedAtOnce)) {
      const asked = numbers === undefined ? batch : batch.map((place) => numbers[place] as number);
      const values = await this.#output(windows, part, name, asked);
      if (whole.length === 0) whole = new Float32Array((values.length / asked.length) * count);
      whole.set(values, at);
      at += values.length;
    }
    return whole;
  }

  /** Over all windows of a part, each counted once, in scaled units. */
  async errors(windows: SeriesWindows, part: SeriesPart): Promise<ForecastErrors> {
    let [squares, absolutes, count] = [0, 0, 0];
    for (const numbers of batchesInOrder(windows.counts[part], evaluatedAtOnce)) {
      const { targets, weights } = windows.batch(part, numbers);
      const forecast = await this.#output(windows, part, "forecast", numbers);
      for (let at = 0; at < weights.length; at += 1) {
        if (weights[at] === 0) continue;
        const error = (forecast[at] as number) - (targets[at] as number);
        squares += error * error;
        absolutes += Math.abs(error);
        count += 1;
      }
    }
    return { mse: squares / count, mae: absolutes / count };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #output(
    windows: SeriesWindows,
    part: SeriesPart,
    name: string,
    numbers: Int32Array,
  ): Promise<Float32Array> {
    const { channels, lookback, horizon } = windows.manifest;
    const { inputs } = windows.batch(part, numbers);
    const feeds: Record<string, Tensor> = {};
    for (const [input, data] of Object.entries(inputs)) {
      const steps = input === "series" ? lookback : lookback + horizon;
      const width = input === "series" ? channels : data.length / numbers.length / steps;
      feeds[input] = new Tensor("float32", data as Float32Array, [numbers.length, steps, width]);
    }
    const results = await this.#session.run(feeds, [name]);
    return results[name]?.data as Float32Array;
  }
}

export interface ForecastErrors {
  readonly mse: number;
  readonly mae: number;
}

const evaluatedAtOnce = 128;
