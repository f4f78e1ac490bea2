export {
  type AudioModel,
  type AudioModelOptions,
  audioSecondsDefault,
  audioSecondsMax,
  readAudioModel,
} from "./artefact/audio-model.ts";
export { type Environment, type LocatedModel, locateModel } from "./artefact/locate.ts";
export type { Model } from "./artefact/model.ts";
export { type Pooling, readTextModel, type TextModel } from "./artefact/text-model.ts";
export { clipBytesMax } from "./audio/decode/decode.ts";
export { openTextEncoder } from "./open-text-encoder.ts";
export { type BatchBounds, batchesByLength } from "./runtime/batches.ts";
export { chooseDevice, type Device, type DeviceChoice, deviceChoices, devices } from "./runtime/device.ts";
export { type ModelRuntime, type ModelRuntimeOptions, openModelRuntime } from "./runtime/model-runtime.ts";
export type { ModelCounters, OpenModel } from "./runtime/open-model.ts";
export { type DeviceProbe, mendOf, probeDevice } from "./runtime/probe-device.ts";
export { type Rows, type RowValues, selectRows, splitRows } from "./runtime/rows.ts";
export type { Scale } from "./runtime/scale.ts";
export type { Prepared, RunAnswer } from "./runtime/session.ts";
