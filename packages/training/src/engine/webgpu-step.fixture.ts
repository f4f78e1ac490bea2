/** Prints the losses of the same training steps on the CPU and on WebGPU, and of the same training by a trainer, as JSON. */
import { Random } from "@medley/core";
import { trainGraphSage } from "../graph/graphsage.ts";
import { Graph } from "./graph.ts";
import { attention, batchNorm, conv1d, embedding, layerNorm, linear } from "./layers.ts";
import { crossEntropy } from "./losses.ts";
import { type Batch, TrainingStep } from "./training-step.ts";

const [batch, steps, width, classes, words] = [4, 6, 8, 3, 10];
const random = new Random(4);
const batches = Array.from({ length: 4 }, (): Batch => {
  const targets = new Float32Array(batch * classes);
  for (let row = 0; row < batch; row += 1) targets[row * classes + random.below(classes)] = 1;
  const ids = Array.from({ length: batch * steps }, () => BigInt(random.below(words)));
  return { ids: BigInt64Array.from(ids), targets };
});

async function losses(device: "cpu" | "webgpu"): Promise<number[]> {
  const graph = new Graph({ seed: 1 });
  const ids = graph.input("ids", [batch, steps], "int64");
  const embedded = embedding("words", ids, { size: words, dimensions: width, deviation: 1 });
  const convolved = conv1d("convolution", embedded, width, { kernel: 3, padding: "circular" });
  const attended = layerNorm("norm", convolved.add(attention("self", convolved, convolved, { heads: 2 })));
  const pooled = batchNorm("batch-norm", attended.gelu().mean([1]));
  const loss = crossEntropy(linear("out", pooled, classes), graph.input("targets", [batch, classes]));
  await using step = await TrainingStep.create(graph, loss, { device, optimiser: { clipNorm: 1 } });
  const found: number[] = [];
  for (const each of batches) found.push((await step.train(each, 0.05)).loss);
  return found;
}

/** After two epochs of two classes on a ring. */
async function trained(device: "cpu" | "webgpu"): Promise<number> {
  const nodes = Array.from({ length: 32 }, (_, at) => ({
    id: `n${at}`,
    edges: { [`n${(at + 1) % 32}`]: 1 },
    features: Float32Array.of(at % 2, 1 - (at % 2), at / 32),
    label: at % 2 === 0 ? "even" : "odd",
  }));
  const options = { dimensions: 4, hidden: 4, target: "parity", epochs: 2, batchRows: 16, dropout: 0 };
  const { metrics } = await trainGraphSage(nodes, { ...options, seed: 1, threads: 1, device });
  return metrics["train/loss"] as number;
}

const result = {
  cpu: await losses("cpu"),
  webgpu: await losses("webgpu"),
  trained: { cpu: await trained("cpu"), webgpu: await trained("webgpu") },
};
// The driver's own threads keep the process alive.
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
