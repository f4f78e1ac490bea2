import { featuresOfSpace, MedleyError, packetRecordsMax, type Space, spaceInput } from "@medley/core";
import type { CollectionEncoders } from "@medley/pipeline";
import type { TrainingRecord } from "@medley/training";

/**
 * Records with the segments of the spaces that `space` names as features, end to end and in half precision, as the embedding
 * stage hands them over: encoded a packet at a time by the encoders of `opened`, which holds those spaces alone, in the order
 * in which they are named. A record that can't be encoded is a failure of the whole, since it would be a dead letter.
 */
export async function* withFeatures(
  records: AsyncIterable<TrainingRecord>,
  opened: CollectionEncoders,
  signal: AbortSignal,
): AsyncGenerator<TrainingRecord, void, void> {
  let packet: TrainingRecord[] = [];
  for await (const record of records) {
    packet.push(record);
    if (packet.length < packetRecordsMax) continue;
    yield* await encoded(packet, opened, signal);
    packet = [];
  }
  yield* await encoded(packet, opened, signal);
}

/** The spaces that a space's features are of, in the order in which it names them. */
export function featureSpaces(space: Space, spaces: readonly Space[]): readonly Space[] {
  return featuresOfSpace(space.definition).map((name) => spaces.find((one) => one.name === name) as Space);
}

async function encoded(
  packet: readonly TrainingRecord[],
  opened: CollectionEncoders,
  signal: AbortSignal,
): Promise<TrainingRecord[]> {
  const rows = packet.map(() => new Float32Array(opened.dimensions));
  for (const [index, { offset }] of opened.layout.entries()) {
    const space = opened.collection.spaces[index] as Space;
    const inputs = packet.map((record) => spaceInput(space, record));
    const present = [...inputs.keys()].filter((row) => inputs[row] !== null);
    const results = await opened.encoders[index]?.encode(
      present.map((row) => inputs[row]),
      signal,
    );
    for (const [at, result] of (results ?? []).entries()) {
      if (!result.ok)
        throw new MedleyError(result.failure.code, `space "${space.name}": ${result.failure.message}`);
      rows[present[at] as number]?.set(Float16Array.from(result.value), offset);
    }
  }
  return packet.map((record, row) => ({ ...record, features: rows[row] as Float32Array }));
}
