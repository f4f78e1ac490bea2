export { Random } from "@medley/core";
export { checkServed, checkTunedServed, type TunedSpace } from "./artefact/check-served.ts";
export { type WriteArtefactOptions, writeArtefact } from "./artefact/write-artefact.ts";
export type { Contender } from "./assignment/arm.ts";
export {
  type ArmReport,
  type AssignOptions,
  assignTask,
  type Decision,
  type Estimate,
  type SpaceDecision,
  type TaskReport,
  type TestLook,
} from "./assignment/assign-task.ts";
export { type SpaceChoice, spaceChoices } from "./assignment/choose-space.ts";
export type { ClassWeights } from "./assignment/class-weights.ts";
export type { Behind } from "./assignment/compare-arms.ts";
export type { Cost } from "./assignment/cost.ts";
export type { LearnedWeights } from "./assignment/fusion-weights.ts";
export type { ForecastingTask } from "./assignment/futures.ts";
export type { QueryRow } from "./assignment/ranking-judge.ts";
export type { Task } from "./assignment/task-data.ts";
export type { EntityOptions } from "./category/entity-table.ts";
export { trainEntityFromCoOccurrence } from "./category/train-from-co-occurrence.ts";
export {
  type EntityExample,
  type EntityTargetOptions,
  trainEntityFromTarget,
} from "./category/train-from-target.ts";
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
export { type BudgetSpace, fitAxes, type Rung as DimensionRung } from "./dimensions/space-ladder.ts";
export {
  type BudgetProblem,
  type DimensionSplit,
  lossOfSplit,
  type SpaceShare,
  type SplitDimensionsOptions,
  type SplitStep,
  splitDimensions,
  type WeightingRecall,
} from "./dimensions/split-dimensions.ts";
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
export { type MinimiseOptions, minimise, type Objective } from "./evaluation/lbfgs.ts";
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
  constantRate,
  cosineRate,
  halvedEachEpoch,
  linearRate,
  type Position,
  type Schedule,
  withWarmUp,
} from "./fit/schedule.ts";
export { type Adjacency, type AdjacencyOptions, adjacencyOf, type Edge } from "./graph/adjacency.ts";
export { type GraphSageOptions, trainGraphSage } from "./graph/graphsage.ts";
export { embedNodes, type Node2VecOptions, type NodeVectors, trainNode2Vec } from "./graph/node2vec.ts";
export type { SageNode } from "./graph/sage-data.ts";
export type { TrainingOptions, TrainingProgress } from "./progress.ts";
export { type ReservoirOptions, sampleItems } from "./reservoir.ts";
export { compareRuns, listRuns, type RunComparison, type RunList } from "./runs/compare-runs.ts";
export { curvePlot } from "./runs/curve-plot.ts";
export { curveSvg } from "./runs/curve-svg.ts";
export { type IntervalRow, intervalSvg } from "./runs/interval-svg.ts";
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
export { escaped } from "./runs/svg.ts";
export { paperSize, type SeriesSettings, type SeriesTrainingOptions } from "./series/series-options.ts";
export type { SeriesSplit } from "./series/split.ts";
export { trainSeries } from "./series/train-series.ts";
export type { RecordSeries } from "./series/windows.ts";
export type { TargetValue } from "./target/target.ts";
export { type Time2VecOptions, type TimeExample, trainTime2Vec } from "./time/train-time2vec.ts";
export type { Curve, ReferenceVectors, TrainedModel } from "./trained-model.ts";
export {
  epochsSetting,
  parseSettings,
  type Setting,
  type Settings,
  type SettingValue,
} from "./trainers/settings.ts";
export type { Trainer, TrainerOptions, TrainingRecord } from "./trainers/trainer.ts";
export { trainerOf } from "./trainers/trainers.ts";
export type { ClassifierEvaluation } from "./tuning/classifier-evaluation.ts";
export {
  type CycleEvent,
  type CycleOptions,
  type CycleResult,
  type CycleRound,
  type CycleState,
  cycleTransitions,
  runCycle,
} from "./tuning/cycle.ts";
export type { BlockSettings } from "./tuning/fit-tail.ts";
export type { LabelledExample } from "./tuning/labelled-examples.ts";
export {
  type Candidate,
  choice,
  type Dimension,
  gridOf,
  integer,
  logUniform,
  type SearchSpace,
  sampleCandidates,
  uniform,
} from "./tuning/search-space.ts";
export { type SearchedText, type SearchTextOptions, searchText } from "./tuning/search-text.ts";
export {
  type HalvingOptions,
  type HalvingResult,
  type Rung,
  rungsOf,
  successiveHalving,
  type TrialStart,
} from "./tuning/successive-halving.ts";
export {
  type LabelledTexts,
  TextTuner,
  type TextTunerOptions,
  type TunedCandidate,
} from "./tuning/text-tuner.ts";
export { type Trial, TrialList } from "./tuning/trial-list.ts";
export { type HeadOptions, type LabelledValues, type TuneHeadOptions, tuneHead } from "./tuning/tune-head.ts";
export { type TuneHeadRecordsOptions, tuneHeadRecords } from "./tuning/tune-head-records.ts";
export { finishTuning, type TuneTextOptions, tuneText } from "./tuning/tune-text.ts";
export { type TextPair, type TuneTextPairsOptions, tuneTextPairs } from "./tuning/tune-text-pairs.ts";
export { type TuneTextRecordsOptions, tuneTextRecords } from "./tuning/tune-text-records.ts";
export type { TunedModel } from "./tuning/tuned-model.ts";
export { trainWords, type WordsOptions } from "./words/train-words.ts";
