import type { TrainedModelDescription } from "../trained/trained-model.ts";
import type { AudioModel } from "./audio-model.ts";
import type { ImageModel } from "./image-model.ts";
import type { TextModel } from "./text-model.ts";

/** All that decides a model's vectors, read from its own files. Plain data: it travels to threads. */
export type Model = TextModel | ImageModel | AudioModel | TrainedModelDescription;
