import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import { classWeights as balancedWeights } from "../data/targets.ts";
import type { StateTensor } from "../engine/training-step.ts";
import { classReport, mostProbable } from "../evaluation/classification.ts";
import { fitLogisticRegression } from "../evaluation/logistic-regression.ts";
import { fitEpochs } from "../fit/fit.ts";
import { linear, withWarmUp } from "../fit/schedule.ts";
import type { TrainingOptions } from "../progress.ts";
import { Random } from "../random.ts";
import type { Curve } from "../trained-model.ts";
import type { BlockCut } from "./blocks.ts";
import { type ClassifierHead, headLogitsOf, negativeLogLikelihood } from "./classifier-head.ts";
import { frozenVectors } from "./frozen-vectors.ts";
import { HiddenStates } from "./hidden-states.ts";
import { headScale, type InitialHead, type Objective } from "./objective.ts";
import { shapedBatches, shapeLengths, type Unit } from "./shape-buckets.ts";
import { type GroupedRows, TailTraining } from "./tail-training.ts";
import { tailVectors } from "./tail-vectors.ts";
import { TextBackbone, type TextBackboneOptions, type TokenRow } from "./text-backbone.ts";

/** Texts and the class of each, a place in the list of classes. */
export interface LabelledTexts {
  readonly texts: readonly string[];
  readonly labels: ArrayLike<number>;
}

export interface TextTunerOptions extends TextBackboneOptions, TrainingOptions {
  readonly classes: readonly string[];
  readonly train: LabelledTexts;
  /** Rows that choose: the best epoch, the settings, the temperature. Never those of the last test. */
  readonly validation: LabelledTexts;
  /** Of what the frozen part computed; kept for later runs. Default: a folder that goes with the tuner. */
  readonly cacheDirectory?: string;
  /** Default 2 GiB: of one tensor of one model. */
  readonly cacheBytesMax?: number;
}

/** Of a training of the last blocks. */
export interface BlockSettings {
  /** From 1: how many of the last blocks are trained. */
  readonly blocks: number;
  readonly learningRate: number;
  readonly batchRows: number;
  readonly weightDecay: number;
  readonly epochs: number;
  /** Default: classification. */
  readonly objective?: Objective;
  /** Whether classes count the same however many rows they have. Default false. */
  readonly balances?: boolean;
  /** Of the vector, before the head. Default 0. */
  readonly dropout?: number;
  /** Tokens of each text that a step looks at, others in each epoch; what serves looks at all. Default: all. */
  readonly tokensKept?: number;
}

/** A text model that was tuned, and how it does on the validation rows. */
export interface TunedCandidate {
  /** Trained tensors of the backbone by their names in its file; empty for a frozen one. */
  readonly blocks: ReadonlyMap<string, StateTensor>;
  readonly cut: BlockCut | null;
  readonly head: ClassifierHead;
  /** [rows, classes] of the validation rows. */
  readonly logits: Float64Array;
  readonly validation: { readonly accuracy: number; readonly macroF1: number; readonly loss: number };
  readonly curves: readonly Curve[];
}

const cacheBytesDefault = 2 * 2 ** 30;
const clipNorm = 1;
/** Of the steps; BERT's own fine-tuning warms up over a tenth. */
const warmUpShare = 0.1;
/** Rows from which the head that training begins with is fitted: enough for a direction, few enough to cost little. */
const firstHeadRowsMax = 1_000;
const firstHeadPenalty = 1e-3;
/** λ of heads on frozen vectors that are tried on the validation rows. */
const penalties = [1e-2, 1e-3, 1e-4, 1e-5];

/**
 * Fine-tuning of one text model on one set of rows, as often as settings are tried. Tokens are made once, the frozen part runs
 * once per depth, and both stay for the next trial. `close` frees what it holds; one training at a time.
 */
export class TextTuner implements AsyncDisposable {
  readonly backbone: TextBackbone;
  readonly #options: TextTunerOptions;
  readonly #train: readonly TokenRow[];
  readonly #validation: readonly TokenRow[];
  readonly #hidden = new Map<number, HiddenStates>();

  private constructor(backbone: TextBackbone, options: TextTunerOptions) {
    this.backbone = backbone;
    this.#options = options;
    this.#train = this.tokens(options.train, "the training text");
    this.#validation = this.tokens(options.validation, "the validation text");
  }

  /** Throws as opening the model does, and `training_data_invalid` for a text without a word. */
  static async open(options: TextTunerOptions): Promise<TextTuner> {
    const { train, validation, classes } = options;
    assert(classes.length > 1, "classes to tell apart");
    for (const { texts, labels } of [train, validation]) {
      assert(texts.length > 0 && texts.length === labels.length, "a label per text");
    }
    return new TextTuner(await TextBackbone.open(options), options);
  }

  tokens({ texts }: { texts: readonly string[] }, name: string): TokenRow[] {
    return this.backbone.rowsOf(texts, (at) => `${name} ${at + 1} of ${texts.length}`);
  }

  /** A head on the vectors that the model gives as it is: logistic regression, its penalty chosen on the validation rows. */
  async trainHead(): Promise<TunedCandidate> {
    const vectors = await this.frozen(this.#options.train.texts);
    const held = await this.frozen(this.#options.validation.texts);
    return this.#headOn(vectors, held);
  }

  /** The vectors [rows, dimensions] of the frozen model, from the worker's own runtime. */
  async frozen(texts: readonly string[]): Promise<Float32Array> {
    return frozenVectors(texts, { ...this.#options, cacheBytesMax: this.#cacheBytesMax });
  }

  /**
   * Trains the last blocks and a head on the first `rows` training rows (default: all), and keeps the best epoch by validation
   * accuracy. The head is fitted first, so that the blocks' first steps follow a direction that means something (Kumar et al.
   * 2022, Fine-Tuning can Distort Pretrained Features); with a contrastive objective it is fitted afterwards.
   */
  async trainBlocks(settings: BlockSettings, { rows = this.#train.length } = {}): Promise<TunedCandidate> {
    const cut = this.backbone.cut(settings.blocks);
    const hidden = await this.#hiddenAt(settings.blocks, cut.cut);
    const chosen = this.#train.slice(0, rows);
    await hidden.compute([...this.#train, ...this.#validation]);
    const { seed, threads = 1, signal, onProgress, train, classes } = this.#options;
    const { objective = { kind: "classification" }, balances = false, batchRows } = settings;
    const classCount = classes.length;
    const groups = Array.from({ length: rows }, (_, row) => train.labels[row] as number);
    const { tokensKept = this.backbone.model.tokensMax } = settings;
    const lengths = chosen.map(({ ids }) => Math.min(ids.length, tokensKept));
    const units = unitsOf(objective, lengths, groups);
    const shapes = shapeLengths(lengths, { batchRows });
    const data = { rows: chosen, groups };
    const head =
      objective.kind === "classification" ? await this.#firstHead(cut, hidden, data, classCount) : null;
    const length = shapes.at(-1) as number;
    await using training = await TailTraining.open(
      { backbone: this.backbone, cut, hidden, data, length },
      {
        ...{ objective, classCount, head, batchRows, clipNorm, tokensKept, seed, threads },
        classWeights: balances ? balancedWeights(groups, { classCount }) : undefined,
        dropout: settings.dropout ?? 0,
        weightDecay: settings.weightDecay,
      },
    );
    const vectorsOf = (of: readonly TokenRow[]) =>
      tailVectors(this.backbone, cut, hidden, training.trained().blocks, of, { threads, signal });
    const candidate = async (): Promise<TunedCandidate> => {
      const held = await vectorsOf(this.#validation);
      const { blocks, head } = training.trained();
      const found =
        objective.kind === "contrastive"
          ? this.#headOn(await vectorsOf(chosen), held, groups)
          : this.#judged(headOf(head), held);
      return { ...found, blocks, cut: cut.cut };
    };
    const epochBatches = (random: Random) =>
      fullEnough(shapedBatches(units, shapes, { batchRows, random }), objective, batchRows);
    const stepsPerEpoch = Math.max(1, Math.floor((units.length * unitRows(objective)) / batchRows));
    const warmUpSteps = Math.ceil(warmUpShare * stepsPerEpoch * settings.epochs);
    const fitted = await fitEpochs({
      step: training,
      batches: epochBatches,
      ...{ stepsPerEpoch, epochsMax: settings.epochs, seed },
      schedule: withWarmUp(warmUpSteps, linear(settings.learningRate)),
      validation: {
        run: async () => metricsOf((await candidate()).validation),
        by: "validation/accuracy",
        better: "higher",
      },
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    return { ...(await candidate()), curves: fitted.curves };
  }

  /** Unit vectors of other rows by a candidate: of the last test. */
  async vectors(candidate: TunedCandidate, texts: readonly string[]): Promise<Float32Array> {
    if (candidate.cut === null) return this.frozen(texts);
    const rows = this.tokens({ texts }, "the text");
    const { threads = 1, signal } = this.#options;
    const blocks = candidate.cut.blocks;
    const cut = this.backbone.cut(blocks);
    const hidden = await this.#hiddenAt(blocks, cut.cut);
    await hidden.compute(rows);
    return tailVectors(this.backbone, cut, hidden, candidate.blocks, rows, { threads, signal });
  }

  async close(): Promise<void> {
    for (const hidden of this.#hidden.values()) await hidden.close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #cacheBytesMax(): number {
    return this.#options.cacheBytesMax ?? cacheBytesDefault;
  }

  async #hiddenAt(blocks: number, { tensor }: BlockCut): Promise<HiddenStates> {
    const known = this.#hidden.get(blocks);
    if (known !== undefined) return known;
    const opened = await HiddenStates.open(this.backbone, tensor, {
      ...this.#options,
      cacheBytesMax: this.#cacheBytesMax,
    });
    this.#hidden.set(blocks, opened);
    return opened;
  }

  async #firstHead(
    cut: ReturnType<TextBackbone["cut"]>,
    hidden: HiddenStates,
    { rows, groups }: GroupedRows,
    classCount: number,
  ): Promise<InitialHead> {
    const { seed, threads = 1, signal } = this.#options;
    const places = new Random(seed).shuffle(Int32Array.from(rows.keys())).slice(0, firstHeadRowsMax);
    const chosen = Array.from(places, (place) => rows[place] as TokenRow);
    const vectors = await tailVectors(this.backbone, cut, hidden, new Map(), chosen, { threads, signal });
    const columns = this.backbone.dimensions;
    const labels = Array.from(places, (place) => groups[place] as number);
    const options = { classCount, l2: firstHeadPenalty };
    const { weights } = fitLogisticRegression({ columns, values: vectors }, labels, options);
    return initialHead(headOfRegression(weights, columns));
  }

  #headOn(
    vectors: Float32Array,
    held: Float32Array,
    labels: ArrayLike<number> = this.#options.train.labels,
  ): TunedCandidate {
    const { classes } = this.#options;
    const columns = vectors.length / labels.length;
    let best: TunedCandidate | null = null;
    for (const l2 of penalties) {
      const rows = { columns, values: vectors };
      const { weights } = fitLogisticRegression(rows, labels, { classCount: classes.length, l2 });
      const found = this.#judged(headOfRegression(weights, columns), held);
      if (best === null || found.validation.loss < best.validation.loss) best = found;
    }
    return best as TunedCandidate;
  }

  #judged(head: ClassifierHead, held: Float32Array): TunedCandidate {
    const { classes, validation } = this.#options;
    const classCount = classes.length;
    const logits = headLogitsOf(head, held);
    const predicted = mostProbable(logits, { classCount });
    const { accuracy, macroF1 } = classReport(validation.labels, predicted, { classCount });
    const loss = negativeLogLikelihood(logits, validation.labels, { classCount, temperature: 1 });
    if (!Number.isFinite(loss)) {
      throw new MedleyError("training_diverged", "the validation loss is not finite", {
        mend: "use a lower learning rate",
      });
    }
    return {
      blocks: new Map(),
      cut: null,
      head,
      logits,
      validation: { accuracy, macroF1, loss },
      curves: [],
    };
  }
}

function metricsOf({ accuracy, macroF1, loss }: TunedCandidate["validation"]): Record<string, number> {
  return { "validation/accuracy": accuracy, "validation/macro_f1": macroF1, "validation/loss": loss };
}

function unitRows({ kind }: Objective): number {
  return kind === "classification" ? 1 : 2;
}

/** Rows one by one, or two of a class together: a batch drawn at random from many classes would hold no two of one. */
function unitsOf({ kind }: Objective, lengths: readonly number[], groups: readonly number[]): Unit[] {
  if (kind === "classification") return lengths.map((length, row) => ({ rows: [row], length }));
  const members = Map.groupBy(groups.keys(), (row) => groups[row] as number);
  return [...members.values()].flatMap((of) =>
    Array.from({ length: of.length >> 1 }, (_, at): Unit => {
      const pair = [of[2 * at] as number, of[2 * at + 1] as number];
      return { rows: pair, length: Math.max(...pair.map((row) => lengths[row] as number)) };
    }),
  );
}

/** A batch of contrasts that lacks rows would contrast with padding: it is left out where there are others. */
function* fullEnough(
  batches: ReturnType<typeof shapedBatches>,
  { kind }: Objective,
  batchRows: number,
): Generator<(typeof batches)[number]> {
  for (const batch of batches) {
    if (kind === "classification" || batch.rows.length === batchRows || batches.length === 1) yield batch;
  }
}

/** From the graph's parameters [dimensions, classes], which are put on `headScale` times the vector. */
function headOf(tensors: ReadonlyMap<string, StateTensor>): ClassifierHead {
  const [weight, bias] = ["weight", "bias"].map((name) => tensors.get(`head/${name}`));
  assert(weight && bias, "the head was trained");
  const [dimensions, classCount] = weight.dims as [number, number];
  const transposed = new Float32Array(weight.data.length);
  for (let one = 0; one < classCount; one += 1) {
    for (let d = 0; d < dimensions; d += 1) {
      transposed[one * dimensions + d] = headScale * (weight.data[d * classCount + one] as number);
    }
  }
  return { weight: transposed, bias: bias.data };
}

/** The other way round of `headOf`. */
function initialHead({ weight, bias }: ClassifierHead): InitialHead {
  const dimensions = weight.length / bias.length;
  const transposed = Float32Array.from(weight, (_, at) => {
    const [d, one] = [Math.floor(at / bias.length), at % bias.length];
    return (weight[one * dimensions + d] as number) / headScale;
  });
  return { weight: transposed, bias };
}

/** From [classes, columns + 1], the biases last. */
function headOfRegression(weights: Float64Array, columns: number): ClassifierHead {
  const width = columns + 1;
  const classCount = weights.length / width;
  const weight = new Float32Array(classCount * columns);
  const bias = new Float32Array(classCount);
  for (let one = 0; one < classCount; one += 1) {
    weight.set(weights.subarray(one * width, one * width + columns), one * columns);
    bias[one] = weights[one * width + columns] as number;
  }
  return { weight, bias };
}
