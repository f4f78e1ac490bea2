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
}

/** Opens the encoders of every space; models are loaded once each, however many spaces use them. */
export async function openEncoders(
  collections: ReadonlyMap<string, Collection>,
  options: OpenEncodersOptions,
): Promise<ReadonlyMap<string, CollectionEncoders>> {
  const { encoderOf = () => null } = options;
  const opened = new Map<string, CollectionEncoders>();
  for (const collection of collections.values()) {
    const encoders: Encoder[] = [];
    for (const space of collection.spaces) {
      encoders.push(encoderOf(space) ?? (await openEncoder(space, collection, options)));
    }
    opened.set(collection.name, collectionEncoders(collection, encoders));
  }
  return opened;
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
  return openReducedEncoder(whole, { space: place, definition, runtime: options.runtime });
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
  switch (definition.encoder) {
    case "text":
    case "image":
    case "audio": {
      const tuned = isTunedSpace(definition) ? place : undefined;
      return openSpaceEncoder(definition, { runtime, resources, tuned });
    }
    case "remote":
      return resources.use(openRemoteEncoder(definition, { environment })) as Encoder;
    default:
      throw new Error(`space ${place} needs no model`);
  }
}
