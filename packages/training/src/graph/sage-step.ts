import type { Device } from "@medley/models";
import { Graph, TrainingStep, type Value } from "../engine/index.ts";
import type { SageBatchOptions } from "./sage-batches.ts";
import { SageLayers, type SageSizes } from "./sage-layers.ts";
import type { Objective } from "./sage-objective.ts";

export interface SageStepOptions extends SageBatchOptions {
  readonly seed: number;
  readonly threads?: number;
  readonly device?: Device;
  readonly weightDecay: number;
}

/** The step that trains both layers on what `SageBatches` fills. */
export function createSageStep(
  sizes: SageSizes,
  objective: Objective,
  options: SageStepOptions,
): Promise<TrainingStep> {
  const graph = new Graph({ seed: options.seed });
  const layers = new SageLayers(graph, sizes);
  const loss = objective.loss(graph, sampledEmbedding(graph, layers, sizes, options));
  const { threads = 1, device, weightDecay } = options;
  return TrainingStep.create(graph, loss, { optimiser: { weightDecay }, threads, device });
}

/** The targets' vectors [targets, dimensions] of the tensors of a batch. */
export function sampledEmbedding(
  graph: Graph,
  layers: SageLayers,
  { features: width, hidden: hiddenWidth, aggregator }: SageSizes,
  { targets, fanout: [first, second] }: SageBatchOptions,
): Value {
  const nodes = targets * (1 + first);
  const features = graph.input("features", [nodes, width]);
  const weights = graph.input("weights", [targets, first]);
  const heard = () => {
    if (aggregator === "mean") return layers.firstMessage(graph.input("heard-features", [nodes, width]));
    const messages = layers.firstMessage(graph.input("neighbour-features", [nodes * second, width]));
    const shares = graph.input("neighbour-weights", [nodes, second]);
    return layers.hear(messages.reshape([nodes, second, hiddenWidth]), shares);
  };
  const hidden = layers.hidden(features, heard());
  const near = layers.secondMessage(hidden.slice(0, targets, nodes));
  const messages = near.reshape([targets, first, near.size(-1)]);
  return layers.embedding(hidden.slice(0, 0, targets), layers.hear(messages, weights));
}
