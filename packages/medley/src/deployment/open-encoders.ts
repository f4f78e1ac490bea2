import { resolve } from "node:path";
import {
  type Clock,
  type Collection,
  type ContentSources,
  closedFormEncoder,
  type Encoder,
  isTrainedSpace,
  isTunedSpace,
  type Space,
} from "@medley/core";
import { ContentReader, type Environment, type ModelRuntime, openRemoteEncoder } from "@medley/models";
import { type CollectionEncoders, collectionEncoders } from "@medley/pipeline";
import { defaultTextModel } from "../config/configured-models.ts";

export interface OpenEncodersOptions {
  readonly runtime: ModelRuntime;
  readonly clock: Clock;
  /** Where the keys of remote endpoints are. */
  readonly environment: Environment;
  /** What encoders open besides the runtime's models is closed with it: connections. */
  readonly resources: AsyncDisposableStack;
  /** An encoder of the caller's own for a space; null: the one configured. Default: always null. */
  readonly encoderOf?: (space: Space) => Encoder | null;
}

/** Opens the encoders of every space; models are loaded once each, however many spaces use them. */
export async function openEncoders(
  collections: ReadonlyMap<string, Collection>,
  options: OpenEncodersOptions,
): Promise<ReadonlyMap<string, CollectionEncoders>> {
  const { clock, encoderOf = () => null } = options;
  const opened = new Map<string, CollectionEncoders>();
  for (const collection of collections.values()) {
    const encoders: Encoder[] = [];
    for (const space of collection.spaces) {
      encoders.push(
        encoderOf(space) ??
          closedFormEncoder(space, collection.fields, clock) ??
          (await modelEncoder(`${collection.name}.${space.name}`, space, options)),
      );
    }
    opened.set(collection.name, collectionEncoders(collection, encoders));
  }
  return opened;
}

async function modelEncoder(
  place: string,
  { definition }: Space,
  { runtime, environment, resources }: OpenEncodersOptions,
): Promise<Encoder> {
  if (isTrainedSpace(definition)) {
    const { encoder: kind, dimensions } = definition;
    return runtime.trainedEncoder({ space: place, kind, dimensions });
  }
  const tuned = isTunedSpace(definition) ? place : undefined;
  switch (definition.encoder) {
    case "text":
      return (await runtime.textEncoder(definition.model ?? defaultTextModel, { tuned })) as Encoder;
    case "image": {
      const { model, output } = definition;
      return runtime.imageEncoder(model, {
        tuned,
        output,
        content: contentReader(definition.from, resources),
      });
    }
    case "audio": {
      const { model, output, secondsMax } = definition;
      const content = contentReader(definition.from, resources);
      return runtime.audioEncoder(model, { tuned, output, secondsMax, content });
    }
    case "remote":
      return resources.use(openRemoteEncoder(definition, { environment })) as Encoder;
    default:
      throw new Error(`space ${place} needs no model`);
  }
}

function contentReader(
  { folder, hosts = [] }: ContentSources = {},
  resources: AsyncDisposableStack,
): ContentReader {
  return resources.use(new ContentReader({ folder: folder === undefined ? null : resolve(folder), hosts }));
}
