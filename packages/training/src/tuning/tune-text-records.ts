import { Random } from "@medley/core";
import type { Environment, ModelLock } from "@medley/models";
import type { TrainingOptions } from "../progress.ts";
import { sampleItems } from "../reservoir.ts";
import type { BlockSettings } from "./fit-tail.ts";
import { type LabelledExample, type LabelledPart, partExamples, withClass } from "./labelled-examples.ts";
import { searchText } from "./search-text.ts";
import { tuneText } from "./tune-text.ts";
import type { TunedModel } from "./tuned-model.ts";

export interface TuneTextRecordsOptions extends TrainingOptions, Partial<Omit<BlockSettings, "blocks">> {
  readonly model: string;
  readonly environment: Environment;
  readonly lock?: ModelLock;
  /** Of the collection: `label`. */
  readonly target: string;
  /** Of the last blocks; 0 trains the head alone. Default: chosen by a search (`searchText`), with all other settings. */
  readonly blocks?: number;
  readonly tokensMax?: number;
  /** Of more records with a class so many are drawn. Default 50,000. */
  readonly examplesMax?: number;
  /** Of what the frozen part computed, for later runs. Default: a folder that is gone at the end. */
  readonly cacheDirectory?: string;
  /**
   * Where checkpoints are kept, to go on from those that are there. With a `cacheDirectory` that lasts as long, and without
   * dropout, a training that was killed comes to the same artefact as one that was not.
   */
  readonly checkpoints?: string;
}

const examplesMaxDefault = 50_000;
const defaults = { learningRate: 1e-4, batchRows: 16, weightDecay: 0.01, epochs: 3 };

/**
 * Fine-tunes a text model on records: splits them, stratified by class, into rows that train, that choose and that test, and tunes
 * with the settings given, or searches. Throws `training_data_invalid` as `partExamples` does, and `run_damaged` for checkpoints of
 * another training.
 */
export async function tuneTextRecords(
  examples: AsyncIterable<LabelledExample>,
  options: TuneTextRecordsOptions,
): Promise<TunedModel> {
  const { seed, target, blocks, signal, examplesMax: itemsMax = examplesMaxDefault } = options;
  const drawn = await sampleItems(withClass(examples), { itemsMax, random: new Random(seed), signal });
  const { classes, split, ...parts } = partExamples(drawn, { target, seed });
  const textsOf = ({ examples: rows, labels }: LabelledPart<LabelledExample>) => ({
    texts: rows.map(({ value }) => value),
    labels,
  });
  const data = {
    ...options,
    ...{ classes, train: textsOf(parts.train), validation: textsOf(parts.validation) },
    test: textsOf(parts.test),
  };
  const settings = blocks === undefined || blocks === 0 ? null : { ...defaults, ...given(options), blocks };
  const tuned =
    blocks === undefined
      ? await searchText({ ...data, fixed: given(options) })
      : await tuneText({ ...data, settings });
  return { ...tuned, split };
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
