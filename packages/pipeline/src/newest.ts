import type { RecordEnvelope, StoredSegments } from "@medley/core";

/**
 * The envelopes worth going on with: of each id the newest (of equal versions the last), unless the row is newer still. A
 * version equal to the row's is kept: it is a delivery repeated, and the store answers it as it did the first time.
 *
 * The older ones are superseded even if the newest then becomes a dead letter: it was accepted, so it is what its sender
 * wants the record to be, and replaying it must not find an older one in its place.
 */
export function newestOf<E extends RecordEnvelope>(
  envelopes: readonly E[],
  stored: ReadonlyMap<string, Pick<StoredSegments, "version">>,
): readonly E[] {
  const newest = new Map<string, E>();
  for (const envelope of envelopes) {
    const rival = newest.get(envelope.id)?.version ?? stored.get(envelope.id)?.version;
    if (rival === undefined || envelope.version >= rival) newest.set(envelope.id, envelope);
  }
  return [...newest.values()];
}
