export { differentiableOperators, gradients } from "./gradients/gradients.ts";
export { Graph, type GraphNode, type GraphOptions, type Parameter, type TrainedTensors } from "./graph.ts";
export {
  attention,
  batchNorm,
  conv1d,
  dropout,
  embedding,
  glorotInitial,
  layerNorm,
  linear,
  maxPool1d,
  uniformInitial,
} from "./layers.ts";
export { crossEntropy, meanSquaredError } from "./losses.ts";
export type { AdamW } from "./optimiser.ts";
export { type GraphInput, type ReadGraph, type ReadGraphOptions, readGraph } from "./read-graph.ts";
export { openDimension, type Shape } from "./shape.ts";
export {
  type Batch,
  type StateTensor,
  type StepResult,
  TrainingStep,
  type TrainingStepOptions,
} from "./training-step.ts";
export { concat, type ElementType, Value, where } from "./value.ts";
