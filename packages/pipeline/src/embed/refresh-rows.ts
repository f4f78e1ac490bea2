import {
  type Encoder,
  type RefreshBatch,
  type RefreshedRow,
  type RefreshStore,
  type Space,
  type StoredNode,
  segmentHashBytes,
  type Version,
} from "@medley/core";
import type { CollectionEncoders } from "../collection-encoders.ts";
import type { PipelineCounters } from "../counters.ts";
import { attemptsBeforeGivingUp, attemptsBeforeIsolation } from "./attempts.ts";
import { encodeSegments, type SegmentJob } from "./encode-segments.ts";
import { featureHashesOf, featureLayout, heardInput, nodeOf, readsSegments } from "./graph-segments.ts";
import { segmentHash } from "./segment-hash.ts";

export interface RefreshPorts {
  readonly opened: CollectionEncoders;
  readonly store: RefreshStore;
  readonly counters: PipelineCounters;
}

/** A row on its way through a refresh: copies of what it has, which change where its neighbours say something else. */
interface Draft {
  readonly id: string;
  readonly row: StoredNode;
  readonly vector: Float16Array;
  readonly segmentHashes: Uint8Array;
  isChanged: boolean;
}

/**
 * Encodes rows anew whose neighbours changed, in the spaces that hear of them and nowhere else, and only where what is heard differs
 * from what the segment was made of. Takes one batch; resolves to how many records it held, 0 where none waited, when it is durable.
 *
 * Why the last write is right, whoever refreshes and writes at the same time (promises P3 and P4). A cause is committed, with its
 * changes, before it is spread; it is spread before its refreshes are taken; the batch's number comes after that, its reads after the
 * number. So the highest number among those that refreshed a version of a row has read every cause that was known when it was taken,
 * and lower ones do not write after it. A cause that came later has refreshes of its own. A version that was written meanwhile keeps
 * its row, whose refresh then waits once more; a delete leaves nothing to refresh. A refresh is no cause: what a neighbour says
 * follows from its features and edges, never from its own segment.
 */
export async function refreshRows(ports: RefreshPorts, signal: AbortSignal): Promise<number> {
  const { opened, store, counters } = ports;
  const { collection, generation } = opened;
  const batch = await store.takeRefreshes({ collection: collection.name, generation });
  if (batch === null) return 0;
  const nodes = await store.readNodes(batch, batch.ids);
  const drafts = [...nodes].map(([id, row]) => draftOf(id, row));
  const spaces = [...collection.spaces.entries()].filter(([, space]) => readsSegments(space));
  for (const [index, space] of spaces) await encodeSpace(ports, { space, index, batch }, drafts, signal);
  // From here on there are effects.
  signal.throwIfAborted();
  const written = await store.finishRefreshes(batch, drafts.map(refreshedOf));
  counters.refreshes.written += written;
  counters.refreshes.unchanged += drafts.filter(({ isChanged }) => !isChanged).length;
  return batch.ids.length;
}

function draftOf(id: string, row: StoredNode): Draft {
  const { vector, segmentHashes } = row;
  return { id, row, vector: vector.slice(), segmentHashes: segmentHashes.slice(), isChanged: false };
}

function refreshedOf({ id, row, vector, segmentHashes, isChanged }: Draft): RefreshedRow {
  const version = row.version as Version;
  return { id, version, encoded: isChanged ? { vector, segmentHashes } : null };
}

async function encodeSpace(
  { opened, store, counters }: RefreshPorts,
  { space, index, batch }: { space: Space; index: number; batch: RefreshBatch },
  drafts: readonly Draft[],
  signal: AbortSignal,
): Promise<void> {
  const encoder = opened.encoders[index] as Encoder;
  const { offset, encoderIdentity } = opened.layout[index] as CollectionEncoders["layout"][number];
  const hashOffset = index * segmentHashBytes;
  const features = featureLayout(opened, space);
  const inputs = drafts.map((draft) => nodeOf(space, { id: draft.id, fields: draft.row.edges }));
  const nodes = inputs.filter((input) => input !== null);
  const neighbourhoods = await store.readNeighbourhoods(batch, space.name, nodes);
  const jobs: SegmentJob[] = [];
  for (const [at, draft] of drafts.entries()) {
    const input = inputs[at] ?? null;
    const neighbourhood = neighbourhoods.get(draft.id);
    if (input === null || neighbourhood === undefined) continue;
    const read = featureHashesOf(draft.segmentHashes, features, neighbourhood);
    const hash = segmentHash(encoderIdentity, input, read);
    const known = draft.row.segmentHashes.subarray(hashOffset, hashOffset + segmentHashBytes);
    if (Buffer.compare(hash, known) === 0) continue;
    jobs.push({
      input: heardInput(input, draft.vector, features, neighbourhood),
      accept: (segment) => {
        draft.vector.set(segment, offset);
        draft.segmentHashes.set(hash, hashOffset);
        draft.isChanged = true;
        counters.segments.encoded += 1;
        if (encoder.usesModel) counters.segments.encodedByModel += 1;
      },
      // It keeps the segment that it has, and with it the hash of what that was made of.
      refuse: () => {
        counters.refreshes.failed += 1;
      },
    });
  }
  await encodeSegments(encoder, jobs, {
    ...{ space: space.name, signal },
    isolatePassing: batch.tries > attemptsBeforeIsolation,
    givesUp: batch.tries > attemptsBeforeGivingUp,
  });
}

/** Finds those who hear of changes, a bounded number at a time. Resolves to how many changes there were. */
export async function spreadChanges({
  store,
  counters,
}: Pick<RefreshPorts, "store" | "counters">): Promise<number> {
  const { changes, cut } = await store.spreadChanges();
  counters.refreshes.changes += changes;
  counters.refreshes.cut += cut;
  return changes;
}
