import { type EncodeFailure, MedleyError, Random } from "@medley/core";
import type { TrainingOptions } from "../progress.ts";
import { sampleItems } from "../reservoir.ts";
import { encodedValues } from "./encoder-vectors.ts";
import { type LabelledExample, type LabelledPart, partExamples, withClass } from "./labelled-examples.ts";
import { type HeadOptions, type HeadPart, headOnVectors } from "./tune-head.ts";
import type { TunedModel } from "./tuned-model.ts";

export interface TuneHeadRecordsOptions extends TrainingOptions, Omit<HeadOptions, "classes"> {
  /** Of more records with a class so many are drawn. Default 20,000. */
  readonly examplesMax?: number;
  /** A folder to keep the vectors in while they are computed, and to go on from what it holds. */
  readonly cacheDirectory?: string;
}

interface EncodedExample extends LabelledExample {
  readonly vector: Float32Array;
}

const examplesMaxDefault = 20_000;
const cacheBytesMax = 2 * 2 ** 30;

/**
 * A classifier on a picture or sound model as it is (`tuneHead`), from records: encodes those with a class, and parts them, each
 * class alike, into rows that train, that choose and that test. What can't be read is left out and counted (`data/unreadable`), as
 * it would be a dead letter; a host or endpoint that is down ends the training.
 *
 * Throws `training_data_invalid` as `partExamples` does, and `encoder_unavailable`.
 */
export async function tuneHeadRecords(
  examples: AsyncIterable<LabelledExample>,
  options: TuneHeadRecordsOptions,
): Promise<TunedModel> {
  const { seed, target, signal, examplesMax: itemsMax = examplesMaxDefault } = options;
  const drawn = await sampleItems(withClass(examples), { itemsMax, random: new Random(seed), signal });
  partExamples(drawn, { target, seed }); // So that what can't be learned from is refused before a model runs.
  const encoded = await encodedExamples(drawn, options);
  const { classes, split, train, validation, test } = partExamples(encoded, { target, seed });
  const tuned = await headOnVectors(
    { ...options, classes },
    { train: headPart(train), validation: headPart(validation), test: headPart(test) },
  );
  const metrics = { ...tuned.metrics, "data/unreadable": drawn.length - encoded.length };
  return { ...tuned, metrics, split };
}

async function encodedExamples(
  drawn: readonly LabelledExample[],
  options: TuneHeadRecordsOptions,
): Promise<EncodedExample[]> {
  const { encoder, target } = options;
  const contents = drawn.map(({ value }) => value);
  const { vectors, failures } = await encodedValues(encoder, contents, { ...options, cacheBytesMax });
  for (const failure of failures.values()) checkPasses(failure, { target, failures: failures.size, drawn });
  return drawn.flatMap((example, at) => {
    const vector = vectors.subarray(at * encoder.dimensions, (at + 1) * encoder.dimensions);
    return failures.has(at) ? [] : [{ ...example, vector }];
  });
}

/** Half of the records is no accident: more likely the folder or the hosts are not those of the records. */
const unreadableShareMax = 0.5;

function checkPasses(
  failure: EncodeFailure,
  {
    target,
    failures,
    drawn,
  }: { readonly target: string; readonly failures: number; readonly drawn: readonly LabelledExample[] },
): void {
  if (failure.code === "encoder_unavailable") throw new MedleyError(failure.code, failure.message);
  if (failures <= unreadableShareMax * drawn.length) return;
  throw new MedleyError(
    "training_data_invalid",
    `${target}: ${failures} of ${drawn.length} records can't be encoded; the first: ${failure.message}`,
    { mend: 'see that "from" of the space names the folder or hosts of these records' },
  );
}

function headPart({ examples, labels }: LabelledPart<EncodedExample>): HeadPart {
  const [first] = examples;
  const dimensions = first?.vector.length ?? 0;
  const vectors = new Float32Array(examples.length * dimensions);
  for (const [at, { vector }] of examples.entries()) vectors.set(vector, at * dimensions);
  return { values: examples.map(({ value }) => value), vectors, labels };
}
