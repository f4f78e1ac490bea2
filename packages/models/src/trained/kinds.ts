/**
 * The kinds of trained models and how their inputs go into the graph.
 *
 * `bag`: `ids` int64 [batch, width] and `weights` float32 [batch, width]: a weighted set of rows of a table, of any size.
 * `tensors`: float32 inputs of fixed shapes [batch, ...], named by the graph itself.
 */
export const trainedForms = {
  words: "bag",
  entity: "bag",
  node2vec: "bag",
  graphsage: "tensors",
  time2vec: "tensors",
  dlinear: "tensors",
  nlinear: "tensors",
  autoformer: "tensors",
  informer: "tensors",
  // Axes that segments of another encoder are brought to: principal ones, and random ones.
  pca: "tensors",
  random: "tensors",
} as const;

export type TrainedKind = keyof typeof trainedForms;
export type TrainedForm = (typeof trainedForms)[TrainedKind];

export function isTrainedKind(kind: unknown): kind is TrainedKind {
  return typeof kind === "string" && Object.hasOwn(trainedForms, kind);
}
