import { type Encoder, featuresOfSpace, type Space, spaceInput } from "@medley/core";
import { type CollectionEncoders, collectionEncoders } from "@medley/pipeline";
import { readGenerations, readRecords } from "@medley/store";
import type { TrainingRecord } from "@medley/training";
import pg from "pg";
import { withFeatures } from "../train/feature-records.ts";
import { nodeInputs } from "../train/graph-nodes.ts";
import {
  dimensionsOfLayout,
  type GenerationChange,
  needsGeneration,
  type SpaceChange,
  spaceChanges,
} from "./generation-change.ts";

/** What a new generation of a collection's rows would take. */
export interface GenerationPlan {
  readonly collection: string;
  /** Null: the rows can stay as they are. */
  readonly generation: number | null;
  readonly spaces: readonly SpaceChange[];
  readonly rows: number;
  /** Of the table's vectors and of its other columns, as they are now; indexes come on top. */
  readonly bytes: number;
  /** Of the spaces that a model encodes, by one process as this one; null: none. */
  readonly rowsPerSecond: number | null;
  readonly hours: number;
  /** Inputs that endpoints would be asked to encode, and their characters: what they cost is between you and them. */
  readonly remote: { readonly inputs: number; readonly characters: number } | null;
}

/** Enough for a rate, few enough for a moment; a model's first batches are slower. */
const sampledRows = 96;
const halfBytes = 2;

/** Measures a sample's encoding, and changes nothing. */
export async function planGeneration(change: GenerationChange, signal: AbortSignal): Promise<GenerationPlan> {
  const { configured, live, pool } = change;
  const { name } = configured.collection;
  const spaces = spaceChanges(change);
  const { rows: counted } = await pool.query<{ rows: number; bytes: number }>(
    `select count(*)::float8 as rows, coalesce(pg_table_size(to_regclass($1)), 0)::float8 as bytes
from medley.${pg.escapeIdentifier(name)}`,
    [`medley_internal.${pg.escapeIdentifier(change.stored.live_table)}`],
  );
  const { rows, bytes } = counted[0] as (typeof counted)[0];
  const dimensionsBefore = dimensionsOfLayout(live.segments);
  const sample = needsGeneration(change) ? await measure(change, spaces, signal) : null;
  const rowsPerSecond = sample === null || sample.seconds === 0 ? null : sample.rows / sample.seconds;
  const remoteShare = sample === null || sample.rows === 0 ? 0 : rows / sample.rows;
  return {
    collection: name,
    generation: needsGeneration(change) ? await nextNumber(change) : null,
    spaces,
    rows,
    bytes: Math.max(bytes + rows * halfBytes * (configured.dimensions - dimensionsBefore), 0),
    rowsPerSecond,
    hours: rowsPerSecond === null ? 0 : rows / rowsPerSecond / 3_600,
    remote: spaces.some(({ isRemote, how }) => isRemote && how === "encoded")
      ? {
          inputs: Math.round((sample?.remoteInputs ?? 0) * remoteShare),
          characters: Math.round((sample?.remoteCharacters ?? 0) * remoteShare),
        }
      : null,
  };
}

/** Of the generation that is being built, or of the one that would be. */
async function nextNumber({ pool, stored }: GenerationChange): Promise<number> {
  const begun = (await readGenerations(pool)).find(
    ({ collection, state }) => collection === stored.name && state === "building",
  );
  return begun?.generation ?? stored.newestGeneration + 1;
}

interface Sample {
  readonly rows: number;
  readonly seconds: number;
  readonly remoteInputs: number;
  readonly remoteCharacters: number;
}

/** Encodes some rows in the spaces that change; an endpoint is not asked, since that might cost. */
async function measure(
  { configured, pool, stored }: GenerationChange,
  spaces: readonly SpaceChange[],
  signal: AbortSignal,
): Promise<Sample> {
  const { collection } = configured;
  const known = collection.fields.filter(({ name }) => Object.hasOwn(stored.fields, name));
  const records: TrainingRecord[] = [];
  const pages = { pageRowsMax: sampledRows };
  for await (const record of readRecords(pool, { ...collection, fields: known }, pages)) {
    records.push(record);
    if (records.length === sampledRows) break;
  }
  let [seconds, remoteInputs, remoteCharacters] = [0, 0, 0];
  for (const [index, space] of collection.spaces.entries()) {
    const change = spaces[index] as SpaceChange;
    if (change.how !== "encoded" || !change.usesModel) continue;
    const inputs = (await inputsOf(configured, space, records, signal)).filter((input) => input !== null);
    if (change.isRemote) {
      remoteInputs += inputs.length;
      remoteCharacters += inputs.reduce<number>((sum, input) => sum + String(input).length, 0);
      continue;
    }
    const startedMs = performance.now();
    await configured.encoders[index]?.encode(inputs, signal);
    seconds += (performance.now() - startedMs) / 1_000;
  }
  return { rows: records.length, seconds, remoteInputs, remoteCharacters };
}

/** What a space's encoder is given of records: of one that is made of other segments with these, heard among the records alone. */
async function inputsOf(
  { collection, encoders }: CollectionEncoders,
  space: Space,
  records: readonly TrainingRecord[],
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const read = featuresOfSpace(space.definition).map((name) =>
    collection.spaces.findIndex((one) => one.name === name),
  );
  if (read.length === 0) return records.map((record) => spaceInput(space, record));
  const spaces = read.map((index) => collection.spaces[index] as Space);
  const opened = collectionEncoders(
    { ...collection, spaces },
    read.map((index) => encoders[index] as Encoder),
  );
  const featured = await Array.fromAsync(withFeatures(records, opened, signal));
  return featured.map(nodeInputs(space, featured));
}
