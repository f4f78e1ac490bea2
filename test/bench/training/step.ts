import { strict as assert } from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "@medley/training";
import { type Batch, Graph, type StateTensor, TrainingStep } from "@medley/training/engine";
import { type Duel, duel } from "../duel.ts";
import type { Measurement } from "../measurement.ts";
import { LineProcess } from "../rivals/line-process.ts";
import { lossOf, shapesOf, type TrainingBlock } from "../training-blocks.ts";

const rounds = 41;
const rate = 1e-3;
const batchCount = 4;
const threadCounts = [1, 2];
/** Of the losses of the first steps, which both sides take again after they were timed. */
const compared = { steps: 5, relativeDifferenceMax: 1e-3 };

interface Contest {
  readonly name: string;
  readonly block: TrainingBlock;
  /** Taken in each round. */
  readonly steps: number;
  readonly goalRatio: number;
}

const contests: readonly Contest[] = [
  {
    name: "perceptron 384-256-7, batch 256",
    block: { kind: "perceptron", batch: 256, inputs: 384, hidden: 256, classes: 7 },
    steps: 60,
    goalRatio: 0.9,
  },
  {
    name: "DLinear 336 to 96, 7 channels, batch 32",
    block: { kind: "dlinear", batch: 32, lookback: 336, horizon: 96, channels: 7, kernel: 25 },
    steps: 60,
    goalRatio: 1.2,
  },
  {
    name: "attention block of 128, 8 heads, 96 steps, batch 32",
    block: { kind: "attention", batch: 32, steps: 96, width: 128, heads: 8, hidden: 512 },
    steps: 3,
    goalRatio: 0.95,
  },
  {
    name: "Autoformer block of 128, 96 steps, batch 32",
    block: { kind: "autoformer", batch: 32, steps: 96, width: 128, hidden: 512, kernel: 25, factor: 3 },
    steps: 3,
    goalRatio: 0.8,
  },
];

/** A training step (forward, backward, Adam) against the same in PyTorch: the same initial weights, batches and losses. */
export async function run(): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const contest of contests) measurements.push(await fight(contest));
  return measurements;
}

interface Side extends AsyncDisposable {
  take(steps: number, fromStart: boolean): Promise<{ seconds: number; losses: readonly number[] }>;
}

async function fight({ name, block, steps, goalRatio }: Contest): Promise<Measurement> {
  const batches = randomBatches(block);
  await using resources = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "medley-bench-"));
  resources.defer(() => rm(folder, { recursive: true }));
  await writeStart(folder, block, batches);
  const ours: Side[] = [];
  const theirs: Side[] = [];
  for (const threads of threadCounts) {
    ours.push(resources.use(await OurSide.open(block, batches, threads)));
    theirs.push(resources.use(await TheirSide.open(folder, threads)));
  }
  const best = (sides: readonly Side[]) => async () => {
    const seconds: number[] = [];
    for (const side of sides) seconds.push((await side.take(steps, false)).seconds);
    return Math.min(...seconds) / steps;
  };
  const timed = await duel(rounds, best(ours), best(theirs));
  const difference = await largestDifference([...ours, ...theirs]);
  assert(difference <= compared.relativeDifferenceMax, `${name}: losses differ by ${difference}`);
  return {
    name: `training step / PyTorch, ${name}`,
    value: timed.ratio,
    goal: `at least ${goalRatio}`,
    met: timed.ratio >= goalRatio,
    detail: detailOf(timed, steps, difference),
  };
}

function detailOf(timed: Duel, steps: number, difference: number): string {
  const { oursSeconds, theirsSeconds, ratioMin, ratioMax } = timed;
  const inMs = (seconds: number) => (seconds * 1_000).toFixed(2);
  return (
    `ours ${inMs(oursSeconds)}, PyTorch ${inMs(theirsSeconds)} ms per step, each at its better of 1 and 2 threads in each of ` +
    `${rounds} rounds of ${steps} steps by turns; ratio ${ratioMin.toFixed(2)} to ${ratioMax.toFixed(2)} by round; PyTorch eager, ` +
    `AdamW fused; then ${compared.steps} steps from the start on all four: losses differ by ${difference.toExponential(1)} at most`
  );
}

/** Of the losses of all sides' first steps, relative to the first side's. */
async function largestDifference(sides: readonly Side[]): Promise<number> {
  const losses: (readonly number[])[] = [];
  for (const side of sides) losses.push((await side.take(compared.steps, true)).losses);
  const [first, ...others] = losses as [readonly number[], ...(readonly number[])[]];
  const differences = others.flatMap((other) =>
    other.map((loss, at) => Math.abs(loss / (first[at] as number) - 1)),
  );
  return Math.max(...differences);
}

class OurSide implements Side {
  readonly #step: TrainingStep;
  readonly #batches: readonly Batch[];
  readonly #start: ReadonlyMap<string, StateTensor>;

  private constructor(step: TrainingStep, batches: readonly Batch[]) {
    this.#step = step;
    this.#batches = batches;
    this.#start = step.state();
  }

  static async open(block: TrainingBlock, batches: readonly Batch[], threads: number): Promise<OurSide> {
    const graph = new Graph({ seed: 1 });
    return new OurSide(await TrainingStep.create(graph, lossOf(graph, block), { threads }), batches);
  }

  async take(steps: number, fromStart: boolean): Promise<{ seconds: number; losses: readonly number[] }> {
    if (fromStart) this.#step.restore(this.#start);
    const losses: number[] = [];
    const began = performance.now();
    for (let at = 0; at < steps; at++) {
      const batch = this.#batches[this.#step.steps % this.#batches.length] as Batch;
      losses.push((await this.#step.train(batch, rate)).loss);
    }
    return { seconds: (performance.now() - began) / 1_000, losses };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#step.close();
  }
}

class TheirSide implements Side {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  static async open(folder: string, threads: number): Promise<TheirSide> {
    return new TheirSide(await LineProcess.start("python", "training_step.py", [folder, String(threads)]));
  }

  async take(steps: number, fromStart: boolean): Promise<{ seconds: number; losses: readonly number[] }> {
    return (await this.#process.ask({ steps, fromStart })) as { seconds: number; losses: number[] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** What training_step.py begins with: the parameters that the same seed gives us, and the batches. */
async function writeStart(folder: string, block: TrainingBlock, batches: readonly Batch[]): Promise<void> {
  const graph = new Graph({ seed: 1 });
  lossOf(graph, block);
  const parameters = [...graph.parameters].map(([name, { initial }]) => ({ name, initial }));
  const lists = [
    ...parameters.map(({ initial }) => initial),
    ...batches.flatMap(({ x, y }) => [x, y] as Float32Array[]),
  ];
  const start = {
    block,
    rate,
    ...shapesOf(block),
    batches: batches.length,
    parameters: parameters.map(({ name, initial }) => [name, initial.length]),
  };
  await writeFile(join(folder, "start.json"), JSON.stringify(start));
  await writeFile(join(folder, "tensors.f32"), Buffer.concat(lists.map((list) => Buffer.from(list.buffer))));
}

function randomBatches(block: TrainingBlock): Batch[] {
  const random = new Random(9);
  const { x, y } = shapesOf(block);
  const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
  const normal = (size: number) => Float32Array.from({ length: size }, () => random.normal());
  const oneOf = (rows: number, classes: number) => {
    const targets = new Float32Array(rows * classes);
    for (let row = 0; row < rows; row++) targets[row * classes + random.below(classes)] = 1;
    return targets;
  };
  return Array.from({ length: batchCount }, () => ({
    x: normal(sizeOf(x)),
    y: y.length === 2 ? oneOf(y[0] as number, y[1] as number) : normal(sizeOf(y)),
  }));
}
