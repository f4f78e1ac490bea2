import { strict as assert } from "node:assert";
import { availableParallelism } from "node:os";
import {
  batchesByLength,
  type OpenModel,
  openModelRuntime,
  type Rows,
  selectRows,
  splitRows,
} from "@medley/models";
import { BareThreads } from "../bare-threads.ts";
import { cosine } from "../cosine.ts";
import { duel, secondsOf } from "../duel.ts";
import { lengthMixes } from "../length-mixes.ts";
import type { Measurement } from "../measurement.ts";
import type { BareLoopStart } from "../rivals/bare-loop.ts";

const rounds = 5;
const goalRatio = 0.95;
const cosineMin = 0.9999;

/** The whole text stage (tokens, gathering, runs, pooling) against a bare loop whose inputs are made beforehand. */
export async function run(): Promise<Measurement[]> {
  const threads = availableParallelism();
  await using runtime = openModelRuntime({ threads, environment: {} });
  const open = await runtime.textModel("all-MiniLM-L6-v2");
  const encoder = await runtime.textEncoder("all-MiniLM-L6-v2");
  const { model } = open;
  assert(model.kind === "text");
  const measurements: Measurement[] = [];
  for (const { name, texts } of Object.values(lengthMixes({ uniform: 96, natural: 192, short: 384 }))) {
    const { batches, order } = await bestBatches(open, texts);
    const start: BareLoopStart = { modelPath: model.model.path, batches, padId: model.padId };
    await using bare = await BareThreads.start<Float32Array>("bare-loop.ts", threads, { ...start });
    const fight = await duel(
      rounds,
      () => secondsOf(() => encoder.encode(texts)),
      () => secondsOf(() => bare.round()),
    );
    const results = await encoder.encode(texts);
    const means = meansOf(batches, await bare.check(), model.hiddenSize);
    const least = Math.min(
      ...means.map((mean, at) => {
        const result = results[order[at] as number];
        assert(result?.ok);
        return cosine(mean, result.value);
      }),
    );
    assert(
      means.length === texts.length && least >= cosineMin,
      `the two sides' vectors differ: cosine ${least}`,
    );
    const perSecond = (seconds: number) => (texts.length / seconds).toFixed(1);
    measurements.push({
      name: `text stage / bare onnxruntime-node loop, ${name}`,
      value: fight.ratio,
      goal: `at least ${goalRatio}`,
      met: fight.ratio >= goalRatio,
      detail:
        `${texts.length} texts, ${threads} threads: ours ${perSecond(fight.oursSeconds)}, bare ` +
        `${perSecond(fight.theirsSeconds)} texts/s; ratio ${fight.ratioMin.toFixed(3)} to ${fight.ratioMax.toFixed(3)} by ` +
        `round; the bare loop has the least-cost batches of all texts ready, and pools nothing; least cosine ${least.toFixed(6)}`,
    });
  }
  return measurements;
}

async function bestBatches(
  open: OpenModel,
  texts: readonly string[],
): Promise<{ batches: Rows[]; order: number[] }> {
  const rows = splitRows(await open.prepare(texts));
  const groups = batchesByLength(
    rows.map(({ length }) => length),
    open.scale.batch,
  );
  return { batches: groups.map((indices) => selectRows(rows, indices)), order: groups.flat() };
}

/** Of the hidden states of every row, in the order of the batches. */
function meansOf(
  batches: readonly Rows[],
  hidden: ReadonlyMap<number, Float32Array>,
  hiddenSize: number,
): Float64Array[] {
  return batches.flatMap(({ lengths }, batch) => {
    const states = hidden.get(batch) as Float32Array;
    const padded = Math.max(...lengths);
    return Array.from(lengths, (length, row) => {
      const mean = new Float64Array(hiddenSize);
      for (let i = 0; i < length * hiddenSize; i++) {
        mean[i % hiddenSize] =
          (mean[i % hiddenSize] as number) + (states[row * padded * hiddenSize + i] as number);
      }
      return mean;
    });
  });
}
