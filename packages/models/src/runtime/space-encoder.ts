import { resolve } from "node:path";
import type { ContentSources, Encoder, SpaceDefinition } from "@medley/core";
import { defaultTextModel } from "../artefact/locate.ts";
import { ContentReader } from "../content/content-reader.ts";
import type { EncoderOptions, ModelRuntime } from "./model-runtime.ts";

/** Spaces whose encoder is a pre-trained model in this process. */
export type ModelSpaceDefinition = Extract<SpaceDefinition, { encoder: "text" | "image" | "audio" }>;

export interface SpaceEncoderOptions extends EncoderOptions {
  readonly runtime: ModelRuntime;
  /** Closes what the encoder opens beside the runtime's models: connections. */
  readonly resources: AsyncDisposableStack;
}

/** The encoder of a space as it is configured. Throws as those of `ModelRuntime` do. */
export async function openSpaceEncoder(
  definition: ModelSpaceDefinition,
  { runtime, resources, ...options }: SpaceEncoderOptions,
): Promise<Encoder> {
  switch (definition.encoder) {
    case "text":
      return (await runtime.textEncoder(definition.model ?? defaultTextModel, options)) as Encoder;
    case "image": {
      const { model, output } = definition;
      return runtime.imageEncoder(model, { ...options, output, content: reader(definition.from, resources) });
    }
    case "audio": {
      const { model, output, secondsMax } = definition;
      const content = reader(definition.from, resources);
      return runtime.audioEncoder(model, { ...options, output, secondsMax, content });
    }
  }
}

function reader({ folder, hosts = [] }: ContentSources = {}, resources: AsyncDisposableStack): ContentReader {
  return resources.use(new ContentReader({ folder: folder === undefined ? null : resolve(folder), hosts }));
}
