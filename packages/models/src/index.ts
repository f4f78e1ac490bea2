export type { Assigned, AssignedSpace, AssignedWeights, Evidence } from "./artefact/assigned.ts";
export { writeFileAtomic } from "./artefact/atomic-file.ts";
export {
  type AudioModel,
  type AudioModelOptions,
  audioSecondsDefault,
  audioSecondsMax,
  readAudioModel,
} from "./artefact/audio-model.ts";
export { cachedHubModels, inspectModel, type ModelState, removeCached } from "./artefact/cached-models.ts";
export { type Closeness, closeness } from "./artefact/closeness.ts";
export { ModelFiles, type PinnedFile, readPinned } from "./artefact/files.ts";
export { type ImageLayout, type ImageModel, readImageModel } from "./artefact/image-model.ts";
export type { ImageOutput } from "./artefact/image-output.ts";
export type { ImageProcessor } from "./artefact/image-processor.ts";
export {
  bundledModels,
  defaultTextModel,
  type Environment,
  isBundled,
  type LocatedModel,
  type LocateOptions,
  locateModel,
} from "./artefact/locate.ts";
export {
  emptyLock,
  isRunId,
  type LockedArtefact,
  type LockedFile,
  type LockedModel,
  lockFileName,
  type ModelLock,
  readLock,
  updateLock,
} from "./artefact/lock.ts";
export { canBeCut, type Matryoshka } from "./artefact/matryoshka.ts";
export type { Model } from "./artefact/model.ts";
export {
  isHubId,
  isModelPath,
  type ModelKind,
  type ModelName,
  parseModelName,
} from "./artefact/model-name.ts";
export {
  describeModel,
  loadModelBytes,
  type ModelBytes,
  type PinnedModel,
  pinModel,
} from "./artefact/onnx-file.ts";
export { pinFolder } from "./artefact/pin-folder.ts";
export { type PullOptions, pullModel } from "./artefact/pull.ts";
export { sampleTexts } from "./artefact/sample-texts.ts";
export { readTextModel, type TextModel } from "./artefact/text-model.ts";
export type { Activation, HeadModule, Pooling, PoolingMode } from "./artefact/text-modules.ts";
export { clipBytesMax } from "./audio/decode/decode.ts";
export type { ResolveHost } from "./content/connections.ts";
export { ContentReader, type ContentReaderOptions } from "./content/content-reader.ts";
export { imageLimits } from "./image/image-limits.ts";
export { type OutputCandidate, outputCandidates } from "./onnx/output-candidates.ts";
export { openTextClassifier, type TextClassifier } from "./open-text-classifier.ts";
export { openTextEncoder } from "./open-text-encoder.ts";
export { type QuantisedModel, quantiseModel } from "./quantise-model.ts";
export { type Chat, type ChatOptions, type ChatQuestion, openChat } from "./remote/chat.ts";
export { EndpointKey } from "./remote/endpoint-key.ts";
export { openRemoteEncoder, type RemoteEncoderEnvironment } from "./remote/open-remote-encoder.ts";
export { type BatchBounds, batchesByLength } from "./runtime/batches.ts";
export { chooseDevice, type Device, type DeviceChoice, deviceChoices, devices } from "./runtime/device.ts";
export { type ModelRuntime, type ModelRuntimeOptions, openModelRuntime } from "./runtime/model-runtime.ts";
export type { ModelCounters, OpenModel } from "./runtime/open-model.ts";
export { type DeviceProbe, mendOf, probeDevice } from "./runtime/probe-device.ts";
export {
  checkReduced,
  cutsOf,
  openReducedEncoder,
  type ReducedEncoderOptions,
} from "./runtime/reduced-encoder.ts";
export { type Rows, type RowValues, selectRows, splitRows } from "./runtime/rows.ts";
export type { Scale } from "./runtime/scale.ts";
export type { Prepared, RunAnswer } from "./runtime/session.ts";
export {
  type ModelSpaceDefinition,
  openSpaceEncoder,
  type SpaceEncoderOptions,
} from "./runtime/space-encoder.ts";
export { decodeSafetensors, type Safetensors } from "./text/safetensors.ts";
export { calendarMarks, marksOf } from "./trained/calendar-marks.ts";
export {
  type Classification,
  type ClassifierDescription,
  classifierFile,
  classifierWeightsFile,
  readClassifier,
  SegmentClassifier,
} from "./trained/classifier.ts";
export {
  bucketOf,
  bucketsMax,
  categoriesFile,
  type EntityRows,
  type EntityValue,
  entityRows,
} from "./trained/entity-features.ts";
export {
  type ArtefactFiles,
  type Features,
  type FeaturesManifest,
  type FeaturesOf,
  featuresOf,
} from "./trained/features.ts";
export {
  graphsageFeatures,
  sageIncomingFile,
  sageLayersFile,
  sageMessagesFile,
  sageNodesFile,
} from "./trained/graphsage-features.ts";
export { type Aggregator, hear, type Said, sageLayerParts } from "./trained/graphsage-messages.ts";
export { inspectArtefact, verifyArtefact } from "./trained/inspect-artefact.ts";
export { isTrainedKind, type TrainedForm, type TrainedKind, trainedForms } from "./trained/kinds.ts";
export {
  encodeManifest,
  manifestFile,
  modelFile,
  parseManifest,
  parseManifestFiles,
  type TrainedManifest,
} from "./trained/manifest.ts";
export { type NodeValue, node2vecFeatures, nodesFile } from "./trained/node2vec-features.ts";
export { readVocabulary } from "./trained/read-vocabulary.ts";
export {
  fillMissing,
  type RegularSeries,
  regularSeries,
  type SeriesValue,
} from "./trained/regular-series.ts";
export { type SeriesManifest, scaleWindow, seriesFeatures, windowOf } from "./trained/series-features.ts";
export { daysSince } from "./trained/time2vec-features.ts";
export {
  artefactsFolder,
  describeArtefact,
  pinnedArtefact,
  readTrainedModel,
  type TrainedModelDescription,
  type TrainedSpaceOptions,
} from "./trained/trained-model.ts";
export {
  countTerms,
  isNgramRange,
  type NgramRange,
  termsFile,
  termWeight,
  type WordsValue,
} from "./trained/words-features.ts";
export { type Verified, verifyModel } from "./verify-model.ts";
