import { strict as assert } from "node:assert";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import {
  batchesByLength,
  type OpenModel,
  openModelRuntime,
  type Rows,
  selectRows,
  splitRows,
} from "@medley/models";
import { duel, secondsOf } from "../duel.ts";
import { films } from "../films.ts";
import type { Measurement } from "../measurement.ts";
import type { BareLoopStart } from "../rivals/bare-loop.ts";

const textsCount = 256;
const rounds = 5;
const goalRatio = 0.95;
const cosineMin = 0.9999;

/** What the runtime costs: its threads, queue and pooling against a bare loop over the same batches. */
export async function run(): Promise<Measurement[]> {
  const threads = availableParallelism();
  await using runtime = openModelRuntime({ threads, environment: {} });
  const model = await runtime.textModel("all-MiniLM-L6-v2");
  const batches = await batchesOf(model);
  const bare = await BareLoop.start(threads, model, batches);
  try {
    const ours = () => secondsOf(() => Promise.all(batches.map((batch) => model.run(batch))));
    const fight = await duel(rounds, ours, () => secondsOf(() => bare.round()));
    const cosine = await leastCosine(model, batches, await bare.check());
    assert(cosine >= cosineMin, `the two sides' vectors differ: cosine ${cosine}`);
    const perSecond = (seconds: number) => (textsCount / seconds).toFixed(1);
    return [
      {
        name: "embedding / bare onnxruntime-node loop",
        value: fight.ratio,
        goal: `at least ${goalRatio}`,
        met: fight.ratio >= goalRatio,
        detail:
          `${textsCount} film plots in ${batches.length} batches, ${threads} threads: ` +
          `ours ${perSecond(fight.oursSeconds)}, bare ${perSecond(fight.theirsSeconds)} texts/s; ` +
          `ratio ${fight.ratioMin.toFixed(3)} to ${fight.ratioMax.toFixed(3)} over ${rounds} rounds; ` +
          `the bare loop pools nothing and has its inputs ready; least cosine ${cosine.toFixed(6)}`,
      },
    ];
  } finally {
    await bare.close();
  }
}

async function batchesOf(model: OpenModel): Promise<Rows[]> {
  const lists = splitRows(await model.prepare(films(textsCount).map(({ plot }) => plot)));
  const lengths = lists.map(({ length }) => length);
  return batchesByLength(lengths, model.scale.batch).map((indices) => selectRows(lists, indices));
}

class BareLoop {
  readonly #workers: readonly Worker[];
  readonly #next: Int32Array;

  private constructor(workers: readonly Worker[], next: Int32Array) {
    this.#workers = workers;
    this.#next = next;
  }

  static async start(threads: number, open: OpenModel, batches: readonly Rows[]): Promise<BareLoop> {
    const next = new SharedArrayBuffer(4);
    assert(open.model.kind === "text");
    const { model, padId } = open.model;
    const start: BareLoopStart = { modelPath: model.path, batches, padId, next };
    const program = new URL("../rivals/bare-loop.ts", import.meta.url);
    const workers = Array.from({ length: threads }, () => new Worker(program, { workerData: start }));
    await Promise.all(workers.map((worker) => once(worker, "message")));
    return new BareLoop(workers, new Int32Array(next));
  }

  async round(): Promise<void> {
    await this.#ask<number>("round");
  }
  /** Hidden states of every batch. */
  async check(): Promise<Map<number, Float32Array>> {
    return new Map((await this.#ask<[number, Float32Array][]>("check")).flat());
  }
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
  async #ask<Answer>(message: "round" | "check"): Promise<Answer[]> {
    this.#next[0] = 0;
    const answers = this.#workers.map((worker) => once(worker, "message"));
    for (const worker of this.#workers) worker.postMessage(message);
    return (await Promise.all(answers)).map(([answer]) => answer as Answer);
  }
}

/** Between our vectors and the mean of the bare loop's hidden states. */
async function leastCosine(
  model: OpenModel,
  batches: readonly Rows[],
  hidden: ReadonlyMap<number, Float32Array>,
): Promise<number> {
  assert.equal(hidden.size, batches.length);
  const { dimensions } = model.model;
  let least = 1;
  for (const [index, batch] of batches.entries()) {
    const { vectors } = await model.run(batch);
    const states = hidden.get(index) as Float32Array;
    const padded = Math.max(...batch.lengths);
    batch.lengths.forEach((length, row) => {
      const mean = new Float64Array(dimensions);
      for (let i = 0; i < length * dimensions; i++) {
        const d = i % dimensions;
        mean[d] = (mean[d] as number) + (states[row * padded * dimensions + i] as number);
      }
      const dot = mean.reduce((sum, x, d) => sum + x * (vectors[row * dimensions + d] as number), 0);
      least = Math.min(least, dot / Math.hypot(...mean));
    });
  }
  return least;
}
