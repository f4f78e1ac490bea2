export { type DataFingerprint, FingerprintBuilder, type FingerprintValue } from "./data/fingerprint.ts";
export { checkLeaks, type Split, type SplitPart, type SplitRow, splitParts } from "./data/parts.ts";
export { type SplitBy, type SplitOptions, type SplitShares, splitRows } from "./data/split.ts";
export {
  type ClassTarget,
  type ClassTargetOptions,
  checkFinite,
  checkNumberTarget,
  checkRowCount,
  classTarget,
  classWeights,
} from "./data/targets.ts";
export { encodeValues } from "./encode-values.ts";
export {
  type BootstrapInterval,
  type BootstrapOptions,
  bootstrapDifference,
  pairedBootstrap,
} from "./evaluation/bootstrap.ts";
export {
  brierScore,
  expectedCalibrationError,
  type ReliabilityBin,
  reliabilityBins,
} from "./evaluation/calibration.ts";
export {
  type ClassReport,
  type ClassScore,
  classReport,
  confusionMatrix,
  mostProbable,
} from "./evaluation/classification.ts";
export {
  type FeatureRows,
  fitLogisticRegression,
  LogisticRegression,
  type LogisticRegressionOptions,
} from "./evaluation/logistic-regression.ts";
export {
  classifyByNeighbours,
  classifyLeaveOneOut,
  type Neighbours,
  type NeighbourVote,
  nearestNeighbours,
  type VectorTable,
} from "./evaluation/nearest-neighbours.ts";
export { averagePrecision, type RankedQuery, recallAtK, rocAuc } from "./evaluation/ranking.ts";
export { meanAbsoluteError, meanSquaredError } from "./evaluation/regression.ts";
export { type Spread, spreadOf } from "./evaluation/spread.ts";
export { type Checkpoint, CheckpointFolder, type EpochMetrics, type FitState } from "./fit/checkpoint.ts";
export { type FitOptions, type Fitted, fitEpochs, type LearningStep, type Validation } from "./fit/fit.ts";
export { encodeSafetensors } from "./fit/safetensors.ts";
export {
  constant,
  cosine,
  halvedEachEpoch,
  linear,
  type Position,
  type Schedule,
  withWarmUp,
} from "./fit/schedule.ts";
export type { TrainingOptions, TrainingProgress } from "./progress.ts";
export { Random } from "./random.ts";
export { compareRuns, listRuns, type RunComparison, type RunList } from "./runs/compare-runs.ts";
export { curvePlot } from "./runs/curve-plot.ts";
export { curveSvg } from "./runs/curve-svg.ts";
export { logToMlflow, type MlflowOptions } from "./runs/mlflow.ts";
export { type ModelCard, modelCard } from "./runs/model-card.ts";
export { type Run, type RunEnd, RunFolder, readRun } from "./runs/run-folder.ts";
export {
  isRunId,
  newRunId,
  type Parameter,
  type Parameters,
  type RunRecord,
  type RunStart,
  type RunState,
} from "./runs/run-record.ts";
export type { Curve, TrainedModel } from "./trained-model.ts";
export { trainWords, type WordsOptions } from "./words/train-words.ts";
