import { createHash } from "node:crypto";
import type { Aggregator } from "@medley/models";
import { classTarget } from "../data/targets.ts";
import { CheckpointFolder } from "../fit/checkpoint.ts";
import { fitEpochs } from "../fit/fit.ts";
import { linearRate } from "../fit/schedule.ts";
import type { TrainingOptions } from "../progress.ts";
import type { TrainedModel } from "../trained-model.ts";
import { FeatureRows } from "./feature-rows.ts";
import { type Fanout, SageBatches } from "./sage-batches.ts";
import { readSageNodes, type SageData, type SageNode } from "./sage-data.ts";
import { messageSizes } from "./sage-layers.ts";
import { apart, batchesOf, together } from "./sage-objective.ts";
import { createSageStep } from "./sage-step.ts";
import { serveSage } from "./serve-sage.ts";
import { walkGraph } from "./walks.ts";

export interface GraphSageOptions extends TrainingOptions {
  readonly dimensions: number;
  /** Default `mean`. */
  readonly aggregator?: Aggregator;
  /** Names the target, where classes are to be told apart: `papers.topic`. Without it, nodes that walks bring together are to be alike. */
  readonly target?: string;
  /** Numbers per node between the layers. Default 128. */
  readonly hidden?: number;
  /** Default 10 with a target (each labelled node once an epoch), 4 without (a walk from each node). */
  readonly epochs?: number;
  /** Labelled nodes, or pairs of nodes, per step. Default 256. */
  readonly batchRows?: number;
  /** Neighbours that are drawn of a node, and of each of those. Default [10, 10], [5, 5] without a target or to pool. */
  readonly fanout?: Fanout;
  /** Share of the features that are dropped while training. Default .5. */
  readonly dropout?: number;
  /** Default .003, falling evenly to 0. */
  readonly learningRate?: number;
  /** Default .0005. */
  readonly weightDecay?: number;
  /** Without a target: nodes per step that all pairs should be unlike, drawn by their edges. Default 256. */
  readonly negatives?: number;
  /** A folder of checkpoints: a training that is cut off goes on from there, to the same bits. Default: none. */
  readonly checkpoints?: string;
}

const defaults = {
  aggregator: "mean",
  hidden: 128,
  batchRows: 256,
  dropout: 0.5,
  learningRate: 0.003,
  weightDecay: 0.0005,
  negatives: 256,
} as const;
const epochsDefault = { supervised: 10, unsupervised: 4 };
const fanoutDefault: Fanout = [10, 10];
/** Where there are more nodes in a batch, or each neighbour's features are. */
const fanoutSmall: Fanout = [5, 5];

/**
 * GraphSAGE (Hamilton, Ying & Leskovec, "Inductive Representation Learning on Large Graphs", 2017), two layers, by neighbours drawn
 * anew for every batch. Edges lead both ways. The artefact holds what each node says to its neighbours, so that a node that was not
 * there gets its vector from its features and its edges; with a target it has an output `logits` [batch, classes] too.
 *
 * Throws `MedleyError` `training_data_invalid` for nodes that `readSageNodes` refuses, for a target with fewer than two classes, and
 * without a target for a graph without edges.
 */
export async function trainGraphSage(
  nodes: Iterable<SageNode> | AsyncIterable<SageNode>,
  options: GraphSageOptions,
): Promise<TrainedModel> {
  options.signal?.throwIfAborted();
  const data = await readSageNodes(nodes);
  const settings = { ...defaults, ...options };
  const { target: name, aggregator, hidden, dimensions } = settings;
  const target = name === undefined ? null : classTarget(data.labels, { name });
  const graph = walkGraph(data.adjacency);
  const objective = target === null ? together(graph, settings) : apart(target, settings);
  const isLarge = target === null || aggregator === "pool";
  const { fanout = isLarge ? fanoutSmall : fanoutDefault } = options;
  const shape = { ...settings, fanout, targets: objective.targets };
  const sizes = { features: data.features.dimensions, hidden, dimensions, aggregator };
  await using step = await createSageStep(sizes, objective, shape);
  const batches = new SageBatches(graph, new FeatureRows(data.features), shape);
  const { epochs = epochsDefault[target === null ? "unsupervised" : "supervised"] } = options;
  const { checkpoints } = options;
  const { batchRows, dropout, learningRate, weightDecay, negatives, seed } = settings;
  const identity = () =>
    identityOf(data, [
      ...[dimensions, aggregator, name, hidden, epochs, fanout, batchRows, dropout],
      ...[learningRate, weightDecay, negatives, seed],
    ]);
  const fitted = await fitEpochs({
    ...options,
    ...(checkpoints === undefined
      ? {}
      : { checkpoint: new CheckpointFolder(checkpoints, { identity: identity() }) }),
    step,
    epochsMax: epochs,
    stepsPerEpoch: objective.stepsPerEpoch,
    batches: (random) => batchesOf(objective, batches, random),
    schedule: linearRate(settings.learningRate),
  });
  const classes = target === null ? {} : { classes: target.classes };
  return {
    manifest: {
      ...{ kind: "graphsage", dimensions, aggregator, features: sizes.features },
      ...{ messages: messageSizes(sizes), nodes: data.ids.length, ...classes },
    },
    files: await serveSage(step.trained(), { data, sizes, classCount: target?.classes.length ?? 0 }),
    metrics: {
      ...fitted.metrics,
      "data/nodes": data.ids.length,
      "data/edges": data.adjacency.targets.length,
    },
    curves: fitted.curves,
  };
}

/** Of all that the course of the training follows from. */
function identityOf({ ids, labels, features, adjacency }: SageData, settings: readonly unknown[]): string {
  const hash = createHash("sha256").update(JSON.stringify([ids, labels, settings]));
  for (const array of [features.values, adjacency.offsets, adjacency.targets, adjacency.weights]) {
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest("hex");
}
