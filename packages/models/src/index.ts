export { type Environment, type LocatedModel, locateModel } from "./artefact/locate.ts";
export { type Pooling, readTextModel, type TextModel } from "./artefact/text-model.ts";
export { openTextEncoder } from "./open-text-encoder.ts";
export { type ModelRuntime, type ModelRuntimeOptions, openModelRuntime } from "./runtime/model-runtime.ts";
export type { ModelCounters, OpenTextModel } from "./runtime/open-text-model.ts";
export type { RunAnswer, TokeniseAnswer } from "./runtime/protocol.ts";
export { type BatchBounds, batchesByLength } from "./text/batches.ts";
export { batchBounds } from "./text/text-encoder.ts";
export { selectTokens, splitTokens, type TokenLists } from "./text/tokenise.ts";
