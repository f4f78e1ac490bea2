import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { Random } from "@medley/core";
import { type ModelRuntime, openModelRuntime } from "@medley/models";
import { classWeights as balancedWeights } from "../data/targets.ts";
import type { StateTensor } from "../engine/training-step.ts";
import { fitLogisticRegression } from "../evaluation/logistic-regression.ts";
import { CheckpointFolder } from "../fit/checkpoint.ts";
import type { TrainingOptions } from "../progress.ts";
import type { Curve, ReferenceVectors } from "../trained-model.ts";
import type { BlockCut } from "./blocks.ts";
import { headOfRegression, initialHead, trainedHead } from "./classifier-head.ts";
import { encoderVectors } from "./encoder-vectors.ts";
import { fitHead, type JudgedHead, judgeHead } from "./fit-head.ts";
import { type BlockSettings, fitTail } from "./fit-tail.ts";
import { HiddenStates } from "./hidden-states.ts";
import type { InitialHead } from "./objective.ts";
import { referenceOf, referenceValuesMax } from "./reference.ts";
import type { GroupedRows, Tail, TailTraining } from "./tail-training.ts";
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
  /** Of hidden states (`HiddenStatesOptions`). Default float16. */
  readonly cacheElement?: "float16" | "float32";
  /** Where trainings of blocks keep their checkpoints, and go on from those that are there. */
  readonly checkpoints?: string;
}

export interface BlockTrainingOptions {
  /** About so many of the training rows, drawn at random, of each class its share and at least one. Default: all. */
  readonly rows?: number;
  /** Names the training's folder among the checkpoints. Default: it keeps none. */
  readonly checkpoint?: string;
}

/** A text model that was tuned, and how it does on the validation rows. */
export interface TunedCandidate extends JudgedHead {
  /** Trained tensors of the backbone by their names in its file; empty for a frozen one. */
  readonly blocks: ReadonlyMap<string, StateTensor>;
  readonly cut: BlockCut | null;
  readonly curves: readonly Curve[];
}

const cacheBytesDefault = 2 * 2 ** 30;
/** Rows from which the head that training begins with is fitted: enough for a direction, few enough to cost little. */
const firstHeadRowsMax = 1_000;
const firstHeadPenalty = 1e-3;

/**
 * Fine-tuning of one text model on one set of rows, as often as settings are tried. Tokens are made once, the frozen part runs
 * once per depth, and both stay for the next trial. `close` frees what it holds; one training at a time.
 */
export class TextTuner implements AsyncDisposable {
  readonly backbone: TextBackbone;
  readonly #options: TextTunerOptions;
  readonly #train: readonly TokenRow[];
  readonly #validation: readonly TokenRow[];
  /** By the number of blocks. */
  readonly #tails = new Map<number, Tail>();
  /** Once the frozen model is asked. */
  #runtime: ModelRuntime | null = null;

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

  get trainRows(): number {
    return this.#train.length;
  }

  tokens({ texts }: { texts: readonly string[] }, name: string): TokenRow[] {
    return this.backbone.rowsOf(texts, (at) => `${name} ${at + 1} of ${texts.length}`);
  }

  /** A head on the vectors that the model gives as it is: logistic regression, its penalty chosen on the validation rows. */
  async trainHead(): Promise<TunedCandidate> {
    const { train, validation, classes } = this.#options;
    const [vectors, held] = [await this.frozen(train.texts), await this.frozen(validation.texts)];
    const judged = fitHead(
      { vectors, labels: train.labels },
      { vectors: held, labels: validation.labels },
      { classCount: classes.length },
    );
    return { ...judged, blocks: new Map(), cut: null, curves: [] };
  }

  /** The vectors [texts, dimensions] of the frozen model, from the worker's own runtime. */
  async frozen(texts: readonly string[], { signal = this.#options.signal } = {}): Promise<Float32Array> {
    const { model, environment, lock, threads, device } = this.#options;
    this.#runtime ??= openModelRuntime({
      environment,
      ...(threads === undefined ? {} : { threads }),
      ...(device === undefined ? {} : { device }),
      ...(lock === undefined ? {} : { lock }),
    });
    const until = signal === undefined ? {} : { signal };
    const options = { ...this.#options, ...until, cacheBytesMax: this.#cacheBytesMax };
    return encoderVectors(await this.#runtime.textEncoder(model), texts, options);
  }

  /**
   * Trains the last blocks and a head, and keeps the best epoch by the validation loss. The head is fitted first, so that the blocks'
   * first steps follow a direction that means something (Kumar et al. 2022, Fine-Tuning can Distort Pretrained Features); with a
   * contrastive objective it is fitted afterwards.
   */
  async trainBlocks(
    settings: BlockSettings,
    { rows = this.#train.length, checkpoint }: BlockTrainingOptions = {},
  ): Promise<TunedCandidate> {
    const { seed, threads = 1, train, validation, classes } = this.#options;
    const classCount = classes.length;
    const { objective = { kind: "classification" }, balances = false } = settings;
    const tail = await this.#tailOf(settings.blocks);
    const places = drawnOfEach(train.labels, { rows, random: new Random(seed) });
    const groups = Array.from(places, (place) => train.labels[place] as number);
    const data = { rows: Array.from(places, (place) => this.#train[place] as TokenRow), groups };
    await tail.hidden.compute([...this.#train, ...this.#validation]);
    const judge = async (training: TailTraining, signal: AbortSignal | undefined) => {
      const { blocks, head } = training.trained();
      const vectorsOf = (of: readonly TokenRow[]) => tailVectors(tail, blocks, of, { threads, signal });
      const held = { vectors: await vectorsOf(this.#validation), labels: validation.labels };
      const judged =
        objective.kind === "contrastive"
          ? fitHead({ vectors: await vectorsOf(data.rows), labels: groups }, held, { classCount })
          : judgeHead(trainedHead(head), held, { classCount });
      return { ...judged, blocks, cut: tail.cut };
    };
    const { found, curves } = await fitTail(tail, data, {
      ...this.#options,
      ...{ settings, objective, judge, best: { by: "validation/loss", better: "lower" } },
      head: objective.kind === "classification" ? await this.#firstHead(tail, data) : null,
      classWeights: balances ? balancedWeights(train.labels, { classCount }) : undefined,
      metricsOf: (one) => metricsOf(one.validation),
      checkpoint: this.#checkpointOf(checkpoint, tail, { settings, rows }),
    });
    return { ...found, curves };
  }

  /**
   * What a candidate makes of some validation texts, from hidden states that are kept whole: what serves comes as near as 1e-5.
   * Not ended by the signal.
   */
  async reference({ cut, blocks }: TunedCandidate): Promise<ReferenceVectors> {
    const values = this.#options.validation.texts.slice(0, referenceValuesMax);
    if (cut === null) {
      const signal = new AbortController().signal;
      return referenceOf(values, await this.frozen(values, { signal }));
    }
    const { threads = 1 } = this.#options;
    const tail = await this.#tailOf(cut.blocks);
    const whole = { threads, cacheBytesMax: this.#cacheBytesMax, cacheElement: "float32" } as const;
    await using hidden = await HiddenStates.open(this.backbone, cut.tensor, whole);
    const rows = this.#validation.slice(0, values.length);
    await hidden.compute(rows);
    return referenceOf(values, await tailVectors({ ...tail, hidden }, blocks, rows, { threads }));
  }

  /** Of all that the rows and settings of a training say; texts by their tokens. */
  dataIdentity(): string {
    const { train, validation, classes, seed, cacheElement } = this.#options;
    const hash = createHash("sha256").update(this.backbone.model.model.contents);
    const labels = [train, validation].map((part) => Array.from(part.labels));
    hash.update(JSON.stringify([classes, labels, seed, cacheElement ?? null]));
    for (const { ids, skipped } of [...this.#train, ...this.#validation]) {
      hash.update(`${ids.length} ${skipped} `).update(ids);
    }
    return hash.digest("hex");
  }

  /** Unit vectors of other rows by a candidate: of the last test. */
  async vectors(candidate: TunedCandidate, texts: readonly string[]): Promise<Float32Array> {
    if (candidate.cut === null) return this.frozen(texts);
    const rows = this.tokens({ texts }, "the text");
    const { threads = 1, signal } = this.#options;
    const tail = await this.#tailOf(candidate.cut.blocks);
    await tail.hidden.compute(rows);
    return tailVectors(tail, candidate.blocks, rows, { threads, signal });
  }

  async close(): Promise<void> {
    for (const { hidden } of this.#tails.values()) await hidden.close();
    await this.#runtime?.close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #cacheBytesMax(): number {
    return this.#options.cacheBytesMax ?? cacheBytesDefault;
  }

  async #tailOf(blocks: number): Promise<Tail> {
    const known = this.#tails.get(blocks);
    if (known !== undefined) return known;
    const { cut, part } = this.backbone.cut(blocks);
    const options = { ...this.#options, cacheBytesMax: this.#cacheBytesMax };
    const hidden = await HiddenStates.open(this.backbone, cut.tensor, options);
    const tail = { backbone: this.backbone, cut, part, hidden };
    this.#tails.set(blocks, tail);
    return tail;
  }

  #checkpointOf(
    name: string | undefined,
    { cut }: Tail,
    course: { readonly settings: BlockSettings; readonly rows: number },
  ): CheckpointFolder | undefined {
    const { checkpoints } = this.#options;
    if (name === undefined || checkpoints === undefined) return undefined;
    const identity = JSON.stringify({ ...course, tensor: cut.tensor, data: this.dataIdentity() });
    return new CheckpointFolder(join(checkpoints, name), { identity });
  }

  async #firstHead(tail: Tail, { rows, groups }: GroupedRows): Promise<InitialHead> {
    const { seed, threads = 1, signal, classes } = this.#options;
    const places = new Random(seed).shuffle(Int32Array.from(rows.keys())).slice(0, firstHeadRowsMax);
    const chosen = Array.from(places, (place) => rows[place] as TokenRow);
    const values = await tailVectors(tail, new Map(), chosen, { threads, signal });
    const columns = this.backbone.dimensions;
    const labels = Array.from(places, (place) => groups[place] as number);
    const options = { classCount: classes.length, l2: firstHeadPenalty };
    const { weights } = fitLogisticRegression({ columns, values }, labels, options);
    return initialHead(headOfRegression(weights, columns));
  }
}

/** Places of about `rows` labels, in random order: of each class its share of them, rounded up. All of them, in their order, where `rows` are. */
function drawnOfEach(
  labels: ArrayLike<number>,
  { rows, random }: { readonly rows: number; readonly random: Random },
): Int32Array {
  const all = Int32Array.from({ length: labels.length }, (_, place) => place);
  if (rows >= all.length) return all;
  const counts = new Map<number, number>();
  for (const place of all)
    counts.set(labels[place] as number, (counts.get(labels[place] as number) ?? 0) + 1);
  const left = new Map([...counts].map(([label, count]) => [label, Math.ceil((rows / all.length) * count)]));
  return random.shuffle(all).filter((place) => {
    const label = labels[place] as number;
    const wanted = left.get(label) as number;
    left.set(label, wanted - 1);
    return wanted > 0;
  });
}

function metricsOf({ accuracy, macroF1, loss }: TunedCandidate["validation"]): Record<string, number> {
  return { "validation/accuracy": accuracy, "validation/macro_f1": macroF1, "validation/loss": loss };
}
