import { type Clock, type Collection, closedFormEncoder, type Encoder, type Space } from "@medley/core";
import type { ModelRuntime } from "@medley/models";
import { type CollectionEncoders, collectionEncoders } from "@medley/pipeline";
import { defaultTextModel } from "../config/configured-models.ts";

export interface OpenEncodersOptions {
  readonly runtime: ModelRuntime;
  readonly clock: Clock;
  /** An encoder of the caller's own for a space; null: the one configured. Default: always null. */
  readonly encoderOf?: (space: Space) => Encoder | null;
}

/** Opens the encoders of every space; models are loaded once each, however many spaces use them. */
export async function openEncoders(
  collections: ReadonlyMap<string, Collection>,
  { runtime, clock, encoderOf = () => null }: OpenEncodersOptions,
): Promise<ReadonlyMap<string, CollectionEncoders>> {
  const opened = new Map<string, CollectionEncoders>();
  for (const collection of collections.values()) {
    const encoders: Encoder[] = [];
    for (const space of collection.spaces) {
      encoders.push(
        encoderOf(space) ??
          closedFormEncoder(space, collection.fields, clock) ??
          (await modelEncoder(space, runtime)),
      );
    }
    opened.set(collection.name, collectionEncoders(collection, encoders));
  }
  return opened;
}

async function modelEncoder(space: Space, runtime: ModelRuntime): Promise<Encoder> {
  const { definition } = space;
  const model = "model" in definition ? definition.model : undefined;
  return (await runtime.textEncoder(model ?? defaultTextModel)) as Encoder;
}
