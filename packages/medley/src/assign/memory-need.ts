import { isGraphSpace, isTrainedSpace, isTunedSpace, reductionOf, type SpaceDefinition } from "@medley/core";
import type { TrainingRecord } from "@medley/training";

// Estimates from above, in bytes, by the largest resident size of the process on 5,000 films and two cores (docs/ASSIGNMENT.md).
/** The process itself, with what reading a source leaves behind. */
export const processBytes = 260e6;
/** A thread with its engine, and the batches that go through it. */
const threadBytes = 100e6;
const furtherThread = 80e6;
/** A value of a record in memory, for each byte that it takes as JSON. */
const recordFactor = 4;
/** A table is read, and both of its sides are copied and brought to unit length. */
const tableFactor = 3;
/** What a training holds of the artefact that it makes: factors, their gradients or projections, the file, the session that checks it. */
const artefactFactor = 8;
/** Bytes of JSON for each different name of an artefact's vocabulary: a term of one or two words of a text, or a category or node. */
const bytesPerTerm = 36;
const bytesPerName = 16;
const namesMax = 50_000;
/** Of both layers of a graph's model by default, each with what is learned of it. */
const layersWidth = 512;
/** A session of a model is held three times while it is loaded. */
const sessionFactor = 3;
/** Training blocks of a text model holds what is to be differentiated of whole batches, for several lengths of text. */
const blocksFactor = 64;

export interface Sampled {
  readonly records: readonly TrainingRecord[];
  readonly train: number;
  readonly queries: number;
}

export interface Sizes {
  readonly dimensions: number;
  /** Of the pre-trained model that it begins from, as they are computed with; 0 where there is none. */
  readonly weightBytes: number;
  /** Of the other segments that its own are made of; 0 where of none. */
  readonly readDimensions: number;
}

/** What all candidates are measured on. */
export interface Comparison {
  readonly records: number;
  /** Of retrievals and pairs. */
  readonly queries: number;
  /** As many are held together: one candidate of each space. */
  readonly spaces: number;
  /** Of the largest candidate. */
  readonly dimensions: number;
}

/**
 * What comparing takes beside the process: a cosine for each validation or test record and training record, or query and record, of every
 * space, and the vectors of one candidate.
 */
export function comparingBytes({ records, queries, spaces, dimensions }: Comparison): number {
  const pairs = Math.max(records ** 2 / 4, queries * records);
  return 4 * spaces * pairs + 4 * tableFactor * (records + queries) * dimensions;
}

/** The most records, at most `recordsMax`, whose comparison fits; fewer than `recordsMin` are none. */
export function recordsThatFit(
  bytesMax: number,
  { recordsMax, recordsMin }: { readonly recordsMax: number; readonly recordsMin: number },
  comparison: Omit<Comparison, "records">,
): number | null {
  const fits = (records: number) => processBytes + comparingBytes({ ...comparison, records }) <= bytesMax;
  let [low, high] = [recordsMin - 1, recordsMax];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low < recordsMin ? null : low;
}

/** What each thread takes beyond the first. */
export function furtherThreadBytes({ weightBytes }: Sizes): number {
  return furtherThread + weightBytes;
}

/** What measuring a candidate with one thread takes, the process and the records included. */
export function candidateBytes(
  definition: SpaceDefinition,
  { records, train, queries }: Sampled,
  sizes: Sizes,
): number {
  const { dimensions, weightBytes } = sizes;
  const said = recordFactor * jsonBytes(records);
  const vectors = 4 * (records.length + queries) * dimensions;
  const threads = isTrainedSpace(definition) || weightBytes > 0 ? threadBytes : 0;
  const artefact = isTrainedSpace(definition)
    ? 4 * (namesOf(definition, records, train) * dimensions + records.length * numbersHeard(sizes))
    : 0;
  // A head or axes are learned from the model's own vectors.
  const isLearnedOver = isTunedSpace(definition) || reductionOf(definition) !== undefined;
  const features = isLearnedOver ? 4 * tableFactor * train * dimensions : 0;
  const model = weightBytes * (trainsBlocks(definition) ? blocksFactor : sessionFactor);
  return processBytes + said + threads + vectors + artefactFactor * artefact + features + model;
}

/** Of each record that others hear of: what is read of it, and what it says in two layers. */
function numbersHeard({ readDimensions }: Sizes): number {
  return readDimensions === 0 ? 0 : readDimensions + layersWidth;
}

/** And not a head alone. */
function trainsBlocks(definition: SpaceDefinition): boolean {
  return definition.encoder === "text" && definition.tuned !== undefined && definition.tuned.blocks !== 0;
}

/** Of the vocabulary that it learns, at most. */
function namesOf(definition: SpaceDefinition, records: readonly TrainingRecord[], train: number): number {
  const own = jsonBytes(records, [definition.field].flat());
  // A graph's nodes are those of all records, and there is no most.
  if (isGraphSpace(definition)) return records.length + own / bytesPerName;
  const perName = definition.encoder === "words" ? bytesPerTerm : bytesPerName;
  return Math.min(namesMax, (own * train) / records.length / perName);
}

function jsonBytes(records: readonly TrainingRecord[], fields?: readonly string[]): number {
  return records.reduce((sum, record) => {
    const said = fields === undefined ? record.fields : fields.map((field) => record.fields[field]);
    return sum + JSON.stringify(said).length;
  }, 0);
}
