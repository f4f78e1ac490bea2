import { strict as assert } from "node:assert";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { splitRows } from "../data/split.ts";
import { checkRowCount } from "../data/targets.ts";
import {
  type AdamW,
  type Batch,
  Graph,
  linear,
  openDimension,
  type TrainedTensors,
  TrainingStep,
  type Value,
} from "../engine/index.ts";
import { fitEpochs } from "../fit/fit.ts";
import { cosineRate } from "../fit/schedule.ts";
import type { TrainingOptions } from "../progress.ts";
import type { TrainedModel } from "../trained-model.ts";
import type { Target } from "./target.ts";

/** What learns from a target. */
export interface Embedding {
  /** Adds the inputs and gives what is served, [rows, dimensions]; `rows` may be open. */
  readonly build: (graph: Graph, rows: number) => Value;
  /** The inputs of kept rows by their places, row-major. `trains`: what is drawn at random may differ from call to call. */
  readonly inputs: (places: Int32Array, trains: boolean) => Batch;
}

export interface FitOnTargetOptions extends TrainingOptions {
  /** Names the target in errors: `films.genre`. */
  readonly name: string;
  readonly learningRate: number;
  readonly optimiser: AdamW;
}

/** Rows held out of the training, to end it and to keep the best epoch. */
const validationShare = 0.1;
const rowsMin = 20;
const batchRowsMin = 16;
const batchRowsMax = 256;
/** Few rows are gone through often, in small batches: a network takes as many steps to learn from them as from many. */
const stepsPerEpochMin = 20;
const epochsMin = 30;
const stepsMin = 1_500;
const hiddenUnits = 64;
const patienceEpochsMin = 5;
const patienceSteps = 150;
const scoredRowsMax = 1_024;

/**
 * Learns an embedding together with a perceptron of one hidden layer that predicts the target from it, scaled to unit length as
 * it will be served. A tenth of the rows (of each class) is held out; the epoch of the least loss on them is kept.
 */
export async function fitOnTarget(
  embedding: Embedding,
  target: Target,
  options: FitOnTargetOptions,
): Promise<{ trained: TrainedTensors } & Pick<TrainedModel, "metrics" | "curves">> {
  const { seed, name, signal, onProgress, optimiser, device, threads = 1 } = options;
  const count = target.rows.length;
  checkRowCount(count, { name, rowsMin });
  const rows = Array.from({ length: count }, (_, place) => {
    const of = target.classOf(place);
    return { id: String(place), ...(of === undefined ? {} : { class: of }) };
  });
  const shares = { train: 1 - validationShare, validation: validationShare, test: 0 };
  const { train, validation } = splitRows(rows, { by: "random", shares, seed });
  const batchRows = batchRowsOf(train.length);
  const graph = new Graph({ seed });
  const { loss } = network(graph, embedding, target, batchRows);
  await using step = await TrainingStep.create(graph, loss, { optimiser, threads, device });
  const stepsPerEpoch = Math.floor(train.length / batchRows);
  const fitted = await fitEpochs<Batch>({
    ...{ step, stepsPerEpoch, seed },
    epochsMax: Math.max(epochsMin, Math.ceil(stepsMin / stepsPerEpoch)),
    schedule: cosineRate(options.learningRate),
    batches: function* (random) {
      const order = random.shuffle(Int32Array.from(train));
      for (let at = 0; at < stepsPerEpoch; at += 1) {
        const places = order.subarray(at * batchRows, (at + 1) * batchRows);
        yield { ...embedding.inputs(places, true), [targetInput]: target.tensor(places) };
      }
    },
    validation: {
      run: () => validate(embedding, target, { trained: step.trained(), places: validation, threads }),
      ...{ by: "validation/loss", better: "lower" },
      patience: Math.max(patienceEpochsMin, Math.ceil(patienceSteps / stepsPerEpoch)),
    },
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return { trained: step.trained(), metrics: fitted.metrics, curves: fitted.curves };
}

function batchRowsOf(rows: number): number {
  const wanted = Math.max(batchRowsMin, Math.min(batchRowsMax, Math.floor(rows / stepsPerEpochMin)));
  return Math.min(wanted, rows);
}

const targetInput = "target";

function network(graph: Graph, embedding: Embedding, target: Target, rows: number) {
  const served = embedding.build(graph, rows).unit();
  const predicted = graph.scoped("head", () =>
    linear("out", linear("hidden", served, hiddenUnits).relu(), target.outputs),
  );
  const loss = target.loss(predicted, graph.input(targetInput, [rows, target.outputs]));
  return { predicted, loss };
}

/** Figures on rows that are not trained on, by the graph as it would serve. */
async function validate(
  embedding: Embedding,
  target: Target,
  { trained, places, threads }: { trained: TrainedTensors; places: Int32Array; threads: number },
): Promise<Record<string, number>> {
  const graph = new Graph({ trained });
  const { predicted, loss } = network(graph, embedding, target, openDimension);
  const session = await InferenceSession.create(
    graph.model(
      new Map([
        ["predicted", predicted],
        ["loss", loss],
      ]),
    ),
    { intraOpNumThreads: threads, logSeverityLevel: 3 },
  );
  try {
    const outputs = new Float32Array(places.length * target.outputs);
    let lossSum = 0;
    for (let start = 0; start < places.length; start += scoredRowsMax) {
      const part = places.subarray(start, start + scoredRowsMax);
      const batch = { ...embedding.inputs(part, false), [targetInput]: target.tensor(part) };
      const results = await session.run(feedsOf(session, graph, batch, part.length));
      outputs.set(floatsOf(results.predicted), start * target.outputs);
      lossSum += (floatsOf(results.loss)[0] as number) * part.length;
    }
    const report = Object.entries(target.report(outputs, places));
    return {
      "validation/loss": lossSum / places.length,
      ...Object.fromEntries(report.map(([name, value]) => [`validation/${name}`, value])),
    };
  } finally {
    await session.release();
  }
}

function floatsOf(tensor: Tensor | undefined): Float32Array {
  assert(tensor?.data instanceof Float32Array, "a tensor of floats");
  return tensor.data;
}

function feedsOf(session: InferenceSession, graph: Graph, batch: Batch, rows: number) {
  return Object.fromEntries(
    graph.inputs
      .filter(({ name }) => session.inputNames.includes(name))
      .map(({ name, shape }) => {
        const data = batch[name] as Float32Array | BigInt64Array;
        const dims = shape.map((size) => (size === openDimension ? rows : size));
        return [
          name,
          data instanceof Float32Array ? new Tensor("float32", data, dims) : new Tensor("int64", data, dims),
        ];
      }),
  );
}
