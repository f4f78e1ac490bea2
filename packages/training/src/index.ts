export { type Adjacency, type AdjacencyOptions, adjacencyOf, type Edge } from "./graph/adjacency.ts";
export { embedNodes, type Node2VecOptions, type NodeVectors, trainNode2Vec } from "./graph/node2vec.ts";
export type { TrainingOptions, TrainingProgress } from "./progress.ts";
export { Random } from "./random.ts";
export type { Curve, TrainedModel } from "./trained-model.ts";
