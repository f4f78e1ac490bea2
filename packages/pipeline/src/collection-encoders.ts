import { strict as assert } from "node:assert";
import {
  type Collection,
  type Encoder,
  firstGeneration,
  MedleyError,
  type SegmentLayout,
  suggestion,
} from "@medley/core";

/** A collection with its open encoders: all that turns its records into vectors. */
export interface CollectionEncoders {
  readonly collection: Collection;
  /** By space, in the collection's order. */
  readonly encoders: readonly Encoder[];
  readonly layout: readonly SegmentLayout[];
  /** Of the fused vector. */
  readonly dimensions: number;
  /** Of the rows that they are for. */
  readonly generation: number;
}

export function collectionEncoders(
  collection: Collection,
  encoders: readonly Encoder[],
  generation: number = firstGeneration,
): CollectionEncoders {
  assert.equal(encoders.length, collection.spaces.length);
  let offset = 0;
  const layout = collection.spaces.map((space, index) => {
    const { dimensions, identity } = encoders[index] as Encoder;
    const segment = { space: space.name, offset, dimensions, encoderIdentity: identity };
    offset += dimensions;
    return segment;
  });
  return { collection, encoders, layout, dimensions: offset, generation };
}

/** Of a space that a query names. Throws `query_invalid`. */
export function spaceIndex({ collection, layout }: CollectionEncoders, name: string): number {
  const names = layout.map(({ space }) => space);
  const index = names.indexOf(name);
  if (index >= 0) return index;
  throw new MedleyError("query_invalid", `collection ${collection.name} has no space "${name}"`, {
    mend: suggestion(name, names),
  });
}
