import { Random } from "@medley/core";
import { splitRows } from "../data/split.ts";
import { checkRowCount, classTarget } from "../data/targets.ts";
import type { TrainedModel } from "../trained-model.ts";

/** A text, picture or clip as its encoder takes it, and its class; null: it has none, and is not trained on. */
export interface LabelledExample {
  readonly id: string;
  readonly value: string;
  readonly label: string | null;
}

/** Examples of one part, and the class of each, a place in the list of classes. */
export interface LabelledPart<Example> {
  readonly examples: readonly Example[];
  readonly labels: readonly number[];
}

export interface PartedExamples<Example> {
  readonly classes: readonly string[];
  /** In random order. */
  readonly train: LabelledPart<Example>;
  /** Rows that choose: the epoch, the settings, the temperature. */
  readonly validation: LabelledPart<Example>;
  /** Looked at once, when all is chosen. */
  readonly test: LabelledPart<Example>;
  readonly split: NonNullable<TrainedModel["split"]>;
}

/** Fewer leave a validation part that tells nothing. */
const examplesMin = 40;
const examplesPerClassMin = 10;
const shares = { train: 0.8, validation: 0.1, test: 0.1 };

/** Before a sample is drawn of them, so that it is of what can be learned from. */
export async function* withClass(
  examples: AsyncIterable<LabelledExample>,
): AsyncGenerator<LabelledExample, void, void> {
  for await (const example of examples) if (example.label !== null) yield example;
}

/**
 * Parts examples for a fine-tuning, each class alike. Throws `training_data_invalid` for fewer than two classes of ten (smaller ones are
 * left out), fewer than 40 examples of the others, and where an id comes to lie in two parts.
 */
export function partExamples<Example extends LabelledExample>(
  examples: readonly Example[],
  { target, seed }: { readonly target: string; readonly seed: number },
): PartedExamples<Example> {
  const bounds = { name: target, rowsMin: examplesMin };
  checkRowCount(examples.filter(({ label }) => label !== null).length, bounds);
  const { classes, rows, labels } = classTarget(
    examples.map(({ label }) => label),
    { name: target, rowsPerClassMin: examplesPerClassMin },
  );
  checkRowCount(rows.length, bounds);
  const kept = Array.from(rows, (row) => examples[row] as Example);
  const parts = splitRows(
    kept.map(({ id, label }) => ({ id, class: label as string })),
    { by: "random", shares, seed },
  );
  const part = (numbers: Int32Array): LabelledPart<Example> => ({
    examples: Array.from(numbers, (row) => kept[row] as Example),
    labels: Array.from(numbers, (row) => labels[row] as number),
  });
  const { train, validation, test } = parts;
  const split = { train: train.length, validation: validation.length, test: test.length };
  return {
    classes,
    train: part(new Random(seed).shuffle(train)),
    validation: part(validation),
    test: part(test),
    split: { by: "random", ...split },
  };
}
