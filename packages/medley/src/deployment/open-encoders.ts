import {
  type Clock,
  type Collection,
  closedFormEncoder,
  type Encoder,
  isTrainedSpace,
  isTunedSpace,
  type Space,
} from "@medley/core";
import {
  type Environment,
  type ModelLock,
  type ModelRuntime,
  openReducedEncoder,
  openRemoteEncoder,
  openSpaceEncoder,
} from "@medley/models";
import { type CollectionEncoders, collectionEncoders } from "@medley/pipeline";

export interface OpenEncodersOptions {
  readonly runtime: ModelRuntime;
  readonly clock: Clock;
  /** Where the keys of remote endpoints are. */
  readonly environment: Environment;
  /** What encoders open besides the runtime's models is closed with it: connections. */
  readonly resources: AsyncDisposableStack;
  /** An encoder of the caller's own for a space; null: the one configured. Default: always null. */
  readonly encoderOf?: (space: Space) => Encoder | null;
  /** Pins in place of the runtime's own. */
  readonly lock?: ModelLock;
}

/** Opens the encoders of every space; models are loaded once each, however many spaces use them. */
export async function openEncoders(
  collections: ReadonlyMap<string, Collection>,
  options: OpenEncodersOptions,
): Promise<ReadonlyMap<string, CollectionEncoders>> {
  const opened = new Map<string, CollectionEncoders>();
  for (const collection of collections.values()) {
    opened.set(collection.name, collectionEncoders(collection, await encodersOf(collection, options)));
  }
  return opened;
}

/** By space, in the collection's order. */
export async function encodersOf(
  collection: Collection,
  options: OpenEncodersOptions,
): Promise<readonly Encoder[]> {
  const { encoderOf = () => null } = options;
  const encoders: Encoder[] = [];
  for (const space of collection.spaces) {
    encoders.push(encoderOf(space) ?? (await openEncoder(space, collection, options)));
  }
  return encoders;
}

async function openEncoder(
  space: Space,
  { name, fields }: Collection,
  options: OpenEncodersOptions,
): Promise<Encoder> {
  const place = `${name}.${space.name}`;
  const whole =
    closedFormEncoder(space, fields, options.clock) ?? (await modelEncoder(place, space, options));
  const { definition } = space;
  const { runtime, lock } = options;
  return openReducedEncoder(whole, { space: place, definition, runtime, lock });
}

async function modelEncoder(
  place: string,
  { definition }: Space,
  { runtime, environment, resources, lock }: OpenEncodersOptions,
): Promise<Encoder> {
  if (isTrainedSpace(definition)) {
    const { encoder: kind, dimensions } = definition;
    return runtime.trainedEncoder({ space: place, kind, dimensions, lock });
  }
  switch (definition.encoder) {
    case "text":
    case "image":
    case "audio": {
      const tuned = isTunedSpace(definition) ? place : undefined;
      return openSpaceEncoder(definition, { runtime, resources, tuned, lock });
    }
    case "remote":
      return resources.use(openRemoteEncoder(definition, { environment })) as Encoder;
    default:
      throw new Error(`space ${place} needs no model`);
  }
}
