import {
  type Delivery,
  type Encoder,
  firstGeneration,
  isEvent,
  type MedleyError,
  type NeighbourhoodReader,
  type RecordEnvelope,
  type Space,
  type Store,
  type StoredSegments,
  segmentHashBytes,
  spaceInput,
  type Transport,
  type VectorEnvelope,
} from "@medley/core";
import type { CollectionEncoders } from "../collection-encoders.ts";
import { addOutcomes, countFailures, type PipelineCounters } from "../counters.ts";
import { deadLetterOf } from "../dead-letters.ts";
import { newestOf } from "../newest.ts";
import { asStage } from "../stage.ts";
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

export interface EmbedPorts {
  readonly collections: ReadonlyMap<string, CollectionEncoders>;
  readonly store: Pick<Store, "readSegments" | "addDeadLetters">;
  /** Who tells of a node's neighbours. Default: encoders go by what they know themselves. */
  readonly graph?: NeighbourhoodReader;
  readonly transport: Pick<Transport, "send">;
  readonly counters: PipelineCounters;
}

/** A record on its way through the stage; `failure` once it can't go on. */
interface Draft {
  readonly envelope: RecordEnvelope;
  readonly vector: Float16Array;
  readonly segmentHashes: Uint8Array;
  failure: MedleyError | null;
  /** Still to be encoded. */
  segmentsMissing: number;
}

/**
 * The stage `embed`: skips what did not change, encodes the rest, fuses, and sends one vector per record on. A segment
 * whose encoder and input are those of the stored row is copied from it bit for bit. Resolves when vectors and dead
 * letters are durable; running it again for the same packet is harmless (promises P1, P4, P6).
 */
export function embed(ports: EmbedPorts, delivery: Delivery<"records">, signal: AbortSignal): Promise<void> {
  return asStage(ports.counters, { stage: "embed", ...delivery }, () => embedPacket(ports, delivery, signal));
}

async function embedPacket(
  ports: EmbedPorts,
  delivery: Delivery<"records">,
  signal: AbortSignal,
): Promise<void> {
  const { packet, attempt } = delivery;
  const { counters } = ports;
  const opened = ports.collections.get(packet.collection);
  if (opened === undefined) throw new Error(`collection ${packet.collection} is not configured here`);
  counters.stages.embed.received += packet.envelopes.length;

  // What users did holds nothing to encode.
  const events = packet.envelopes.filter(isEvent);
  const records = events.length === 0 ? packet.envelopes : packet.envelopes.filter((one) => !isEvent(one));
  const stored = await storedOf(ports, opened, records);
  const current = newestOf(records, stored);
  const drafts = current.map((envelope) => draftOf(opened, envelope));
  const isolatePassing = attempt > attemptsBeforeIsolation;
  const givesUp = attempt > attemptsBeforeGivingUp;
  // While isolating, nothing is copied: neighbours that succeed are what shows that the encoder works.
  const rows: typeof stored = isolatePassing ? new Map() : stored;
  const { spaces } = opened.collection;
  const onEncoded = () => delivery.report?.(packet.envelopes.length - drafts.filter(isIncomplete).length);
  const neighbourhoods: Neighbourhoods =
    ports.graph === undefined ? new Map() : await neighbourhoodsOf(ports.graph, opened, current);
  const collect = (space: Space, index: number) =>
    reuseOrCollect(opened, { space, index }, drafts, { rows, neighbourhoods }, { counters, onEncoded });
  // A space that reads segments of others is decided after them: it changes where they do.
  const jobs = spaces.map((space, index) => (readsSegments(space) ? [] : collect(space, index)));
  for (const [index, space] of spaces.entries())
    if (readsSegments(space)) jobs[index] = collect(space, index);
  const encodeAll = (wave: (space: Space) => boolean) =>
    Promise.all(
      spaces.map(async (space, index) => {
        if (!wave(space)) return;
        const options = { space: space.name, signal, isolatePassing, givesUp };
        await encodeSegments(opened.encoders[index] as Encoder, jobs[index] as SegmentJob[], options);
      }),
    );
  await encodeAll((space) => !readsSegments(space));
  await encodeAll(readsSegments);

  // From here on there are effects: not of a packet that is another consumer's by now.
  signal.throwIfAborted();
  const failed = drafts.filter((draft) => draft.failure !== null);
  const where = {
    collection: packet.collection,
    stage: "embed" as const,
    runId: packet.chunk?.runId ?? null,
    attempt,
  };
  if (failed.length > 0) {
    const letters = failed.map((draft) => deadLetterOf(draft.envelope, where, draft.failure));
    await ports.store.addDeadLetters(letters);
    countFailures(counters.stages.embed, letters);
  }
  const superseded = records.length - current.length;
  const vectors = vectorEnvelopesOf(opened, drafts);
  const envelopes = [...vectors, ...events.map(withoutVector)];
  const settled = { superseded, deadLetters: failed.length };
  const chunk = packet.chunk && { ...packet.chunk, settled: addOutcomes(packet.chunk.settled, settled) };
  if (envelopes.length > 0 || chunk !== null) {
    signal.throwIfAborted();
    const key = chunk === null ? {} : { key: `${chunk.runId}-${chunk.chunk}` };
    await ports.transport.send("vectors", { collection: packet.collection, envelopes, chunk }, key);
  }
  counters.stages.embed.superseded += superseded;
  counters.stages.embed.deadLetters += failed.length;
  counters.stages.embed.sent += envelopes.length;
}

async function storedOf(
  { store }: EmbedPorts,
  { collection, generation }: CollectionEncoders,
  records: readonly RecordEnvelope[],
): Promise<ReadonlyMap<string, StoredSegments>> {
  const ids = new Set(records.map(({ id }) => id));
  return ids.size === 0 ? new Map() : store.readSegments(collection.name, [...ids], generation);
}

function draftOf(opened: CollectionEncoders, envelope: RecordEnvelope): Draft {
  const upsert = envelope.op === "upsert";
  return {
    envelope,
    vector: new Float16Array(upsert ? opened.dimensions : 0),
    segmentHashes: new Uint8Array(upsert ? opened.layout.length * segmentHashBytes : 0),
    failure: null,
    segmentsMissing: 0,
  };
}

function isIncomplete({ segmentsMissing }: Draft): boolean {
  return segmentsMissing > 0;
}

/** What is known of the drafts' records. */
interface Stored {
  readonly rows: ReadonlyMap<string, StoredSegments>;
  readonly neighbourhoods: Neighbourhoods;
}

/** Fills in the hashes and the segments that need no encoder; returns the jobs of those that do. */
function reuseOrCollect(
  opened: CollectionEncoders,
  at: { space: Space; index: number },
  drafts: readonly Draft[],
  { rows, neighbourhoods }: Stored,
  told: { readonly counters: PipelineCounters; readonly onEncoded: () => void },
): SegmentJob[] {
  const { counters, onEncoded } = told;
  const { index } = at;
  const layout = { ...(opened.layout[index] as CollectionEncoders["layout"][number]), index };
  const byModel = (opened.encoders[index] as Encoder).usesModel;
  const features = featureLayout(opened, at.space);
  const jobs: SegmentJob[] = [];
  for (const draft of drafts) {
    if (draft.envelope.op === "delete") continue;
    const input = spaceInput(at.space, draft.envelope);
    const neighbourhood = neighbourhoods.get(at.space)?.get(draft.envelope.id);
    const read = featureHashesOf(draft.segmentHashes, features, neighbourhood);
    const hash = segmentHash(layout.encoderIdentity, input, read);
    draft.segmentHashes.set(hash, index * segmentHashBytes);
    if (input === null) {
      counters.segments.empty += 1;
    } else if (reuseSegment(rows.get(draft.envelope.id), hash, layout, draft.vector)) {
      counters.segments.reused += 1;
    } else {
      draft.segmentsMissing += 1;
      jobs.push({
        get input() {
          return heardInput(input, draft.vector, features, neighbourhood);
        },
        accept: (segment) => {
          draft.vector.set(segment, layout.offset);
          counters.segments.encoded += 1;
          if (byModel) counters.segments.encodedByModel += 1;
          draft.segmentsMissing -= 1;
          onEncoded();
        },
        refuse: (error) => {
          draft.failure ??= error;
          draft.segmentsMissing -= 1;
          onEncoded();
        },
      });
    }
  }
  return jobs;
}

function withoutVector(envelope: RecordEnvelope): VectorEnvelope {
  return { ...envelope, vector: new Float16Array(0), segmentHashes: new Uint8Array(0) };
}

/** Of the drafts that can go on. */
function vectorEnvelopesOf(opened: CollectionEncoders, drafts: readonly Draft[]): readonly VectorEnvelope[] {
  return drafts
    .filter((draft) => draft.failure === null)
    .map(({ envelope, vector, segmentHashes }) => {
      const labels = envelope.op === "upsert" ? spaceLabels(opened, vector) : null;
      return {
        ...{ ...envelope, vector, segmentHashes },
        ...(labels === null ? {} : { labels }),
        ...(opened.generation === firstGeneration ? {} : { generation: opened.generation }),
      };
    });
}
