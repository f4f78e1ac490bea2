import {
  featuresOfSpace,
  MedleyError,
  packetRecordsMax,
  projectionOf,
  type Space,
  spaceInput,
  spaceOf,
  unreduced,
} from "@medley/core";
import type { CollectionEncoders } from "@medley/pipeline";
import { Random, sampleItems, type TrainingRecord } from "@medley/training";

/** Of more records these are drawn to fit axes to: what is encoded for it takes longer than anything else. */
const axesRecordsMax = 10_000;

/** The records that a space's training encodes features of: all, or of one that is reduced a random sample. */
export async function* featureRecords(
  records: AsyncIterable<TrainingRecord>,
  { definition }: Space,
  { seed, signal }: { readonly seed: number; readonly signal: AbortSignal },
): AsyncGenerator<TrainingRecord, void, void> {
  if (projectionOf(definition) === undefined) yield* records;
  else yield* await sampleItems(records, { itemsMax: axesRecordsMax, random: new Random(seed), signal });
}

type InputOf = (record: TrainingRecord) => unknown;

/**
 * Records with the segments of the spaces that `space` names as features, end to end and in half precision, as the embedding
 * stage hands them over: encoded a packet at a time by the encoders of `opened`, which holds those spaces alone, in the order
 * in which they are named. A record that can't be encoded is a failure of the whole, since it would be a dead letter. `inputOf`: what an
 * encoder is given of a record; default its fields.
 */
export async function* withFeatures(
  records: AsyncIterable<TrainingRecord> | Iterable<TrainingRecord>,
  opened: CollectionEncoders,
  signal: AbortSignal,
  inputOf?: InputOf,
): AsyncGenerator<TrainingRecord, void, void> {
  let packet: TrainingRecord[] = [];
  for await (const record of records) {
    packet.push(record);
    if (packet.length < packetRecordsMax) continue;
    yield* await encoded(packet, opened, signal, inputOf);
    packet = [];
  }
  yield* await encoded(packet, opened, signal, inputOf);
}

/** The spaces that a space's features are of, in the order in which it names them; of one that is reduced itself, as it is before. */
export function featureSpaces(space: Space, spaces: readonly Space[]): readonly Space[] {
  if (projectionOf(space.definition) !== undefined)
    return [spaceOf(space.name, unreduced(space.definition), [])];
  return featuresOfSpace(space.definition).map((name) => spaces.find((one) => one.name === name) as Space);
}

async function encoded(
  packet: readonly TrainingRecord[],
  opened: CollectionEncoders,
  signal: AbortSignal,
  inputOf?: InputOf,
): Promise<TrainingRecord[]> {
  const rows = packet.map(() => new Float32Array(opened.dimensions));
  for (const [index, { offset }] of opened.layout.entries()) {
    const space = opened.collection.spaces[index] as Space;
    const inputs = packet.map(inputOf ?? ((record) => spaceInput(space, record)));
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
