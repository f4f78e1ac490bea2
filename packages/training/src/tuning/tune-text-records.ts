import type { Environment, ModelLock } from "@medley/models";
import { splitRows } from "../data/split.ts";
import { checkRowCount, classTarget } from "../data/targets.ts";
import type { TrainingOptions } from "../progress.ts";
import { Random } from "../random.ts";
import { sampleItems } from "../reservoir.ts";
import type { BlockSettings } from "./fit-tail.ts";
import { searchText } from "./search-text.ts";
import { tuneText } from "./tune-text.ts";
import type { TunedModel } from "./tuned-model.ts";

/** A text and its class; null: it has none, and is not trained on. */
export interface TextExample {
  readonly id: string;
  readonly text: string;
  readonly label: string | null;
}

export interface TuneTextRecordsOptions extends TrainingOptions, Partial<Omit<BlockSettings, "blocks">> {
  readonly model: string;
  readonly environment: Environment;
  readonly lock?: ModelLock;
  /** Of the collection: `label`. */
  readonly target: string;
  /** Of the last blocks; 0 trains the head alone. Default: chosen by a search (`searchText`), with all other settings. */
  readonly blocks?: number;
  readonly tokensMax?: number;
  /** Of more records so many are drawn. Default 50,000. */
  readonly examplesMax?: number;
}

const examplesMaxDefault = 50_000;
/** Fewer leave a validation part that tells nothing. */
const examplesMin = 40;
const shares = { train: 0.8, validation: 0.1, test: 0.1 };
const defaults = { learningRate: 1e-4, batchRows: 16, weightDecay: 0.01, epochs: 3 };

/**
 * Fine-tunes a text model on records: splits them, stratified by class, into rows that train, that choose and that test, and tunes
 * with the settings given, or searches. Throws `training_data_invalid` for fewer than 40 records with a class, or fewer than two
 * classes of ten records.
 */
export async function tuneTextRecords(
  examples: AsyncIterable<TextExample>,
  options: TuneTextRecordsOptions,
): Promise<TunedModel> {
  const { seed, target, blocks, signal, examplesMax: itemsMax = examplesMaxDefault } = options;
  const rows = await sampleItems(examples, { itemsMax, random: new Random(seed), signal });
  checkRowCount(rows.length, { name: target, rowsMin: examplesMin });
  const {
    classes,
    rows: chosen,
    labels,
  } = classTarget(
    rows.map(({ label }) => label),
    { name: target, rowsPerClassMin: 10 },
  );
  const whole = Array.from(chosen, (row) => rows[row] as TextExample);
  const split = splitRows(
    whole.map(({ id, label }) => ({ id, class: label as string })),
    { by: "random", shares, seed },
  );
  const part = (numbers: Int32Array) => ({
    texts: Array.from(numbers, (row) => (whole[row] as TextExample).text),
    labels: Array.from(numbers, (row) => labels[row] as number),
  });
  const data = {
    classes,
    train: part(new Random(seed).shuffle(split.train)),
    validation: part(split.validation),
    test: part(split.test),
  };
  const sizes = { train: split.train.length, validation: split.validation.length, test: split.test.length };
  const settings = blocks === undefined || blocks === 0 ? null : { ...defaults, ...given(options), blocks };
  const tuned =
    blocks === undefined
      ? await searchText({ ...options, ...data, fixed: given(options) })
      : await tuneText({ ...options, ...data, settings });
  return { ...tuned, split: { by: "random", ...sizes } };
}

/** What is set of a training of blocks. */
function given(options: TuneTextRecordsOptions): Partial<BlockSettings> {
  const names = [
    "learningRate",
    "batchRows",
    "weightDecay",
    "epochs",
    "tokensKept",
    "dropout",
    "balances",
    "objective",
  ] as const;
  const entries = names.map((name) => [name, options[name]] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}
