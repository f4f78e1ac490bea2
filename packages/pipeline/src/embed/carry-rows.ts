import {
  canonicalJson,
  type Encoder,
  featuresOfSpace,
  type Generation,
  type GenerationStore,
  type MedleyError,
  type NeighbourhoodReader,
  type RecordEnvelope,
  type Space,
  type Store,
  type StoredRow,
  type StoredSegments,
  segmentHashBytes,
  spaceInput,
  type VectorEnvelope,
  type Version,
} from "@medley/core";
import type { CollectionEncoders } from "../collection-encoders.ts";
import { countFailures, type PipelineCounters } from "../counters.ts";
import { deadLetterOf } from "../dead-letters.ts";
import { attemptsBeforeGivingUp, attemptsBeforeIsolation } from "./attempts.ts";
import { encodeSegments, type SegmentJob } from "./encode-segments.ts";
import {
  featureHashesOf,
  featureLayout,
  heardInput,
  type Neighbourhoods,
  neighbourhoodsOf,
  readsSegments,
} from "./graph-segments.ts";
import { reuseSegment } from "./reuse-segment.ts";
import { segmentHash } from "./segment-hash.ts";
import { spaceLabels } from "./space-labels.ts";

export interface CarryPorts {
  readonly from: Generation;
  readonly to: CollectionEncoders;
  readonly store: GenerationStore & NeighbourhoodReader & Pick<Store, "addDeadLetters" | "readSegments">;
  readonly counters: PipelineCounters;
}

/** A row on its way to another generation; `failure` once it can't go on. */
interface Draft {
  readonly envelope: RecordEnvelope;
  readonly row: StoredRow;
  readonly vector: Float16Array;
  readonly segmentHashes: Uint8Array;
  failure: MedleyError | null;
}

/**
 * Carries rows from one generation of a collection to another: a segment that the same encoder made of the same fields is copied bit for
 * bit, the others are encoded of the row's own fields, where the row there is not made of the same already. A space that hears of neighbours
 * hears what they say in the generation that the rows are carried to; where that changes as more of them come, the rows are refreshed
 * there. Takes one batch; resolves to how many rows it held, 0 where none waited, when it is durable.
 *
 * Why the other generation ends with the same versions (promises P1, P3 and P4): a row is noted in the transaction that writes it, and
 * leaves the notes only after what was read since is written; a write is guarded by the version, so one that comes late has no effect.
 */
export async function carryRows(
  { from, to, store, counters }: CarryPorts,
  signal: AbortSignal,
): Promise<number> {
  const changes = await store.takeChanges(to.collection.name, to.generation);
  if (changes === null) return 0;
  const rows = await store.readRows(to.collection, from.generation, changes.ids);
  const drafts = [...rows].map(([id, row]) => draftOf(to, from, { id, row }));
  const options = {
    signal,
    isolatePassing: changes.tries > attemptsBeforeIsolation,
    givesUp: changes.tries > attemptsBeforeGivingUp,
  };
  const places = [...to.collection.spaces.entries()].map(([index, space]): SpaceAt => ({ space, index }));
  const encoded = places.filter((at) => !copySegments({ from, to }, at, drafts, counters));
  const { collection, generation } = to;
  // While isolating, what is there is not reused: neighbours that succeed are what shows that the encoder works.
  const there: Known["there"] =
    encoded.length === 0 || options.isolatePassing
      ? new Map()
      : await store.readSegments(collection.name, changes.ids, generation);
  const neighbourhoods = await neighbourhoodsOf(
    store,
    to,
    drafts.map(({ envelope }) => envelope),
    encoded.map(({ space }) => space),
  );
  const encodeAll = (wave: readonly SpaceAt[]) =>
    Promise.all(
      wave.map(async (at) => {
        const jobs = segmentJobs(to, at, drafts, { there, neighbourhoods, counters });
        await encodeSegments(to.encoders[at.index] as Encoder, jobs, { ...options, space: at.space.name });
      }),
    );
  await encodeAll(encoded.filter(({ space }) => !readsSegments(space)));
  await encodeAll(encoded.filter(({ space }) => readsSegments(space)));
  // From here on there are effects.
  signal.throwIfAborted();
  const failed = drafts.filter(({ failure }) => failure !== null);
  if (failed.length > 0) {
    const where = {
      collection: from.collection,
      stage: "embed" as const,
      runId: null,
      attempt: changes.tries,
    };
    const letters = failed.map(({ envelope, failure }) => deadLetterOf(envelope, where, failure));
    await store.addDeadLetters(letters);
    countFailures(counters.stages.embed, letters);
  }
  const envelopes = drafts.filter(({ failure }) => failure === null).map((draft) => envelopeOf(to, draft));
  if (envelopes.length > 0) await store.carryRows(from.collection, envelopes);
  await store.finishChanges(changes);
  return changes.ids.length;
}

function draftOf(
  to: CollectionEncoders,
  from: Generation,
  { id, row }: { id: string; row: StoredRow },
): Draft {
  const { deleted, fields } = row;
  return {
    envelope: {
      id,
      version: row.version as Version,
      op: deleted ? "delete" : "upsert",
      fields: deleted ? {} : fields,
      source: `generation:${from.generation}`,
    },
    row,
    vector: new Float16Array(deleted ? 0 : to.dimensions),
    segmentHashes: new Uint8Array(deleted ? 0 : to.layout.length * segmentHashBytes),
    failure: null,
  };
}

interface SpaceAt {
  readonly space: Space;
  readonly index: number;
}

/** Where the other generation's segments of a space are what this one's would be, from 0; -1: nowhere. */
export function sameSegment(from: Generation, to: CollectionEncoders, { space, index }: SpaceAt): number {
  const { spaces } = to.collection;
  const read = featuresOfSpace(space.definition).map((feature) =>
    spaces.findIndex(({ name }) => name === feature),
  );
  const isOther = (place: number) =>
    sameSegment(from, to, { space: spaces[place] as Space, index: place }) < 0;
  if (read.some(isOther)) return -1;
  const { encoderIdentity, dimensions } = to.layout[index] as CollectionEncoders["layout"][number];
  return from.segments.findIndex(
    (one) =>
      one.space === space.name &&
      one.encoderIdentity === encoderIdentity &&
      one.dimensions === dimensions &&
      canonicalJson(one.fields) === canonicalJson(space.fields),
  );
}

function copySegments(
  { from, to }: Pick<CarryPorts, "from" | "to">,
  at: SpaceAt,
  drafts: readonly Draft[],
  counters: PipelineCounters,
): boolean {
  const place = sameSegment(from, to, at);
  if (place < 0) return false;
  const source = from.segments[place] as Generation["segments"][number];
  const { offset } = to.layout[at.index] as CollectionEncoders["layout"][number];
  for (const { row, vector, segmentHashes } of drafts) {
    if (row.deleted) continue;
    vector.set(row.vector.subarray(source.offset, source.offset + source.dimensions), offset);
    const hashAt = place * segmentHashBytes;
    const hash = row.segmentHashes.subarray(hashAt, hashAt + segmentHashBytes);
    segmentHashes.set(hash, at.index * segmentHashBytes);
    counters.segments.reused += 1;
  }
  return true;
}

interface Known {
  /** The rows of the generation that these are carried to, as they are there. */
  readonly there: ReadonlyMap<string, StoredSegments>;
  readonly neighbourhoods: Neighbourhoods;
  readonly counters: PipelineCounters;
}

function segmentJobs(
  to: CollectionEncoders,
  { space, index }: SpaceAt,
  drafts: readonly Draft[],
  { there, neighbourhoods, counters }: Known,
): readonly SegmentJob[] {
  const layout = { ...(to.layout[index] as CollectionEncoders["layout"][number]), index };
  const { usesModel } = to.encoders[index] as Encoder;
  const features = featureLayout(to, space);
  return drafts.flatMap((draft) => {
    if (draft.row.deleted) return [];
    const input = spaceInput(space, draft.envelope);
    const neighbourhood = neighbourhoods.get(space)?.get(draft.envelope.id);
    const read = featureHashesOf(draft.segmentHashes, features, neighbourhood);
    const hash = segmentHash(layout.encoderIdentity, input, read);
    draft.segmentHashes.set(hash, index * segmentHashBytes);
    if (input === null) {
      counters.segments.empty += 1;
      return [];
    }
    if (reuseSegment(there.get(draft.envelope.id), hash, layout, draft.vector)) {
      counters.segments.reused += 1;
      return [];
    }
    return [
      {
        get input() {
          return heardInput(input, draft.vector, features, neighbourhood);
        },
        accept: (segment: Float32Array) => {
          draft.vector.set(segment, layout.offset);
          counters.segments.encoded += 1;
          if (usesModel) counters.segments.encodedByModel += 1;
        },
        refuse: (error: MedleyError) => {
          draft.failure ??= error;
        },
      },
    ];
  });
}

function envelopeOf(to: CollectionEncoders, { envelope, vector, segmentHashes }: Draft): VectorEnvelope {
  const labels = envelope.op === "upsert" ? spaceLabels(to, vector) : null;
  return {
    ...envelope,
    ...{ vector, segmentHashes, generation: to.generation },
    ...(labels === null ? {} : { labels }),
  };
}
