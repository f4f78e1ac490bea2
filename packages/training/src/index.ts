export type { TrainingOptions, TrainingProgress } from "./progress.ts";
export { Random } from "./random.ts";
export type { Curve, TrainedModel } from "./trained-model.ts";
export { trainWords, type WordsOptions } from "./words/train-words.ts";
