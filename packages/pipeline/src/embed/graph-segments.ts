import {
  featuresOfSpace,
  type Neighbourhood,
  type NeighbourhoodReader,
  type NodeInput,
  type RecordFields,
  type SegmentLayout,
  type Space,
  segmentHashBytes,
  spaceInput,
} from "@medley/core";
import type { CollectionEncoders } from "../collection-encoders.ts";

/** A segment that a space reads, and where its hash lies. */
export interface FeatureLayout extends SegmentLayout {
  readonly hashOffset: number;
}

/** Whether a space's segments are made of a record's other segments. */
export function readsSegments({ definition }: Space): boolean {
  return featuresOfSpace(definition).length > 0;
}

/** A record as the node of a space's graph; null where it is none. */
export function nodeOf(
  space: Space,
  record: { readonly id: string; readonly fields: RecordFields },
): NodeInput | null {
  return spaceInput(space, record) as NodeInput | null;
}

export type Neighbourhoods = ReadonlyMap<Space, ReadonlyMap<string, Neighbourhood>>;

/** Of records, in those of `spaces` (default: all) that hear of neighbours. */
export async function neighbourhoodsOf(
  graph: NeighbourhoodReader,
  { collection: { name, spaces: all }, generation }: CollectionEncoders,
  records: readonly { readonly id: string; readonly fields: RecordFields }[],
  spaces: readonly Space[] = all,
): Promise<Neighbourhoods> {
  const of = { collection: name, generation };
  const bySpace = new Map<Space, ReadonlyMap<string, Neighbourhood>>();
  for (const space of spaces.filter(readsSegments)) {
    const nodes = records.flatMap((record) => nodeOf(space, record) ?? []);
    bySpace.set(space, await graph.readNeighbourhoods(of, space.name, nodes));
  }
  return bySpace;
}

/** Where the segments lie that a space reads, in the order in which it names them. */
export function featureLayout(
  { layout }: CollectionEncoders,
  { definition }: Space,
): readonly FeatureLayout[] {
  return featuresOfSpace(definition).map((feature) => {
    const index = layout.findIndex(({ space }) => space === feature);
    return { ...(layout[index] as SegmentLayout), hashOffset: index * segmentHashBytes };
  });
}

/**
 * What an encoder is given of a record: its input, and where it reads them the record's other segments and what neighbours say. Segments
 * are read in half precision, as they are stored, so that one gives the same whether it was encoded or copied.
 */
export function heardInput(
  input: unknown,
  vector: Float16Array,
  features: readonly FeatureLayout[],
  neighbourhood: Neighbourhood | undefined,
): unknown {
  if (features.length === 0) return input;
  const heard = neighbourhood === undefined ? {} : { neighbours: neighbourhood.neighbours };
  const read = features.flatMap(({ offset, dimensions }) => [
    ...vector.subarray(offset, offset + dimensions),
  ]);
  return { ...(input as NodeInput), features: Float32Array.from(read), ...heard };
}

/** What else a segment's hash is made of where it is made of others: their hashes, and all that neighbours say. */
export function featureHashesOf(
  segmentHashes: Uint8Array,
  features: readonly FeatureLayout[],
  neighbourhood: Neighbourhood | undefined,
): readonly Uint8Array[] {
  const hashes = features.map(({ hashOffset }) =>
    segmentHashes.subarray(hashOffset, hashOffset + segmentHashBytes),
  );
  return neighbourhood === undefined ? hashes : [...hashes, neighbourhood.state];
}
