import { strict as assert } from "node:assert";
import { MedleyError, Random } from "@medley/core";
import { daysSince } from "@medley/models";
import { concat, Graph, openDimension, type Value } from "../engine/index.ts";
import { type DenseMatrix, denseMatrix } from "../linear-algebra/matrix.ts";
import type { TrainingOptions } from "../progress.ts";
import { sampleItems } from "../reservoir.ts";
import { type Embedding, fitOnTarget } from "../target/fit-on-target.ts";
import { type Target, type TargetValue, targetOf } from "../target/target.ts";
import type { TrainedModel } from "../trained-model.ts";
import { type FrequencyOptions, strongestFrequencies } from "./frequencies.ts";

export interface TimeExample {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  /** A class, or a number; null: nothing is learned from it. */
  readonly target: TargetValue;
}

export interface Time2VecOptions extends TrainingOptions {
  /** Names the target in errors: `sensors.load`. */
  readonly name: string;
  /** Of the vector, at least 3: one number that grows with time, the others sines, two per frequency. */
  readonly dimensions: number;
  /** The shortest period that is looked for. Default 4. */
  readonly periodHoursMin?: number;
  /** Of more examples a random sample is trained on. Default 200,000. */
  readonly examplesMax?: number;
}

const dayMs = 86_400_000;
/** Examples in which frequencies are looked for. */
const searchedMax = 5_000;
/** Classes whose periods are looked for, those of most examples: each takes a periodogram per frequency, up to 2 s. */
const searchedClassesMax = 32;
const learningRate = 0.005;
const optimiser = { clipNorm: 1 };

/** Where sines begin: a frequency of whole cycles per day and a rest, in cycles per span. */
interface Start {
  readonly spanDays: number;
  readonly wholeCycles: Float32Array;
  readonly rests: Float32Array;
  readonly phases: Float32Array;
}

/**
 * Time2Vec (Kazemi et al., "Time2Vec: learning a vector representation of time", 2019) learned from a target: element 0 is ω₀τ
 * + φ₀, the others sin(ωᵢτ + φᵢ), all of them learned, together with a perceptron that predicts the target. Frequencies begin
 * at the strongest of the targets' periodogram, each with a sine and a cosine, because gradients don't find them from afar.
 *
 * Single precision does not hold a moment of years to the second, so the graph takes whole days and the share of a day apart,
 * and a frequency is whole cycles per day, of which whole days are full turns and drop out, and a rest of at most half a cycle
 * per day: a phase ten years from the origin is good to a thousandth of a turn.
 *
 * Examples are read once. Throws `training_data_invalid` for targets that can't be learned, fewer than 20 examples, and examples
 * that are all of one moment. After `signal` the examples read by then, the frequencies found by then and the best epoch are kept;
 * throws its reason where not one frequency was found.
 */
export async function trainTime2Vec(
  examples: Iterable<TimeExample> | AsyncIterable<TimeExample>,
  options: Time2VecOptions,
): Promise<TrainedModel> {
  const { dimensions, seed, signal, onProgress, name, periodHoursMin = 4, examplesMax = 200_000 } = options;
  assert(Number.isInteger(dimensions) && dimensions >= 3, "at least 3 dimensions");
  const random = new Random(seed);
  const sample = await sampleItems(examples, { itemsMax: examplesMax, random: random.fork(), signal });
  const target = targetOf(
    sample.map((example) => example.target),
    { name },
  );
  const times = Float64Array.from(target.rows, (row) => (sample[row] as TimeExample).timeMs);
  const { originMs, spanDays } = extentOf(times, name);
  const moments = Array.from(times, (timeMs) => daysSince(originMs, timeMs));
  const frequencies = await searchFrequencies(moments, target, {
    count: Math.ceil((dimensions - 1) / 2),
    frequencyMax: 24 / periodHoursMin,
    random: random.fork(),
    signal,
    onValues: (period, done, total) =>
      onProgress?.({ stage: `period ${period}`, done, total, unit: "values" }),
  });
  const start = startAt(frequencies, spanDays, dimensions - 1);
  const embedding: Embedding = {
    build: (graph, rows) => time2vec(graph, rows, start),
    inputs: (places) => ({
      days: Float32Array.from(places, (place) => (moments[place] as readonly [number, number])[0]),
      share: Float32Array.from(places, (place) => (moments[place] as readonly [number, number])[1]),
    }),
  };
  const { trained, metrics, curves } = await fitOnTarget(embedding, target, {
    ...{ ...options, learningRate, optimiser },
  });
  const served = new Graph({ trained });
  const graph = served.model(new Map([["embedding", time2vec(served, openDimension, start)]]));
  const periods = periodsHours(start, trained.get(restsName) as Float32Array);
  return {
    manifest: { kind: "time2vec", dimensions, originMs },
    files: new Map([["model.onnx", graph]]),
    metrics: {
      ...metrics,
      ...Object.fromEntries(periods.map((hours, at) => [`time2vec/period-${at + 1}-hours`, hours])),
    },
    curves,
  };
}

/** The origin is a midnight (UTC) in the middle, so that both ends are near it. */
function extentOf(times: Float64Array, name: string): { originMs: number; spanDays: number } {
  const first = times.reduce((least, time) => Math.min(least, time), Number.POSITIVE_INFINITY);
  const last = times.reduce((most, time) => Math.max(most, time), Number.NEGATIVE_INFINITY);
  if (!(last > first)) {
    throw new MedleyError(
      "training_data_invalid",
      `${name}: all ${times.length} examples are of one moment`,
      {
        mend: "take records of different times",
      },
    );
  }
  return {
    originMs: Math.floor((first + last) / 2 / dayMs) * dayMs,
    spanDays: (last - first) / dayMs,
  };
}

function searchFrequencies(
  moments: readonly (readonly [number, number])[],
  target: Target,
  options: FrequencyOptions,
): Promise<number[]> {
  const places = Int32Array.from(moments.keys());
  const searched =
    places.length <= searchedMax ? places : options.random.shuffle(places).subarray(0, searchedMax);
  const days = Float64Array.from(searched, (place) => {
    const [whole, share] = moments[place] as readonly [number, number];
    return whole + share;
  });
  const values = mostFrequent(target.tensor(searched), target.outputs, searchedClassesMax);
  return strongestFrequencies({ days, values }, options);
}

/** At most `columnsMax` columns of [rows, outputs]: of classes, each row's own marked by 1, those of most rows. */
export function mostFrequent(tensor: Float32Array, outputs: number, columnsMax: number): DenseMatrix {
  const rows = tensor.length / outputs;
  const counts = new Float64Array(outputs);
  for (const [at, value] of tensor.entries()) counts[at % outputs] = (counts[at % outputs] as number) + value;
  const kept = [...counts.keys()]
    .sort((a, b) => (counts[b] as number) - (counts[a] as number) || a - b)
    .slice(0, columnsMax);
  const values = denseMatrix(rows, kept.length);
  for (let row = 0; row < rows; row += 1) {
    for (const [column, output] of kept.entries())
      values.values[row * kept.length + column] = tensor[row * outputs + output] as number;
  }
  return values;
}

/** Each frequency twice, a quarter turn apart; the last one once where `sines` is odd. */
function startAt(frequencies: readonly number[], spanDays: number, sines: number): Start {
  const each = Float64Array.from({ length: sines }, (_, at) => frequencies[Math.floor(at / 2)] as number);
  return {
    spanDays,
    wholeCycles: Float32Array.from(each, Math.round),
    rests: Float32Array.from(each, (frequency) => (frequency - Math.round(frequency)) * spanDays),
    phases: Float32Array.from(each, (_, at) => (at % 2) / 4),
  };
}

const restsName = "rests";

/** Inputs `days` and `share` of a day, both [rows, 1]; gives [rows, 1 + sines]. Frequencies and phases are in turns. */
function time2vec(graph: Graph, rows: number, { spanDays, wholeCycles, rests, phases }: Start): Value {
  const sines = phases.length;
  const days = graph.input("days", [rows, 1]);
  const share = graph.input("share", [rows, 1]);
  const spans = days.add(share).mul(1 / spanDays);
  // From the middle of the span, so that its ends are at -1 and 1.
  const slope = graph.parameter("slope", [1], Float32Array.of(2));
  const linear = spans.mul(slope).add(graph.parameter("shift", [1], Float32Array.of(0)));
  const slow = spans.mul(graph.parameter(restsName, [sines], rests));
  const fast = share.mul(graph.constant(wholeCycles, [sines]));
  const turns = slow.add(fast).add(graph.parameter("phases", [sines], phases));
  return concat([linear, turns.mul(2 * Math.PI).sin()], 1);
}

/** Of every sine and cosine together, as they were learned: their mean frequency's. */
function periodsHours({ spanDays, wholeCycles }: Start, rests: Float32Array): number[] {
  const frequencyAt = (at: number) => (wholeCycles[at] as number) + (rests[at] as number) / spanDays;
  return Array.from({ length: Math.ceil(rests.length / 2) }, (_, pair) => {
    const second = Math.min(2 * pair + 1, rests.length - 1);
    return 24 / Math.abs((frequencyAt(2 * pair) + frequencyAt(second)) / 2);
  });
}
