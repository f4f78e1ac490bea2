import { strict as assert } from "node:assert";
import { Random } from "@medley/core";
import type { Device } from "@medley/models";
import { dropout } from "../engine/layers.ts";
import { readGraph } from "../engine/read-graph.ts";
import { type StateTensor, TrainingStep } from "../engine/training-step.ts";
import type { Value } from "../engine/value.ts";
import type { LearningStep } from "../fit/fit.ts";
import type { BlockCut } from "./blocks.ts";
import { type HiddenStates, tokenInput } from "./hidden-states.ts";
import { keptTokens } from "./kept-tokens.ts";
import {
  headName,
  type InitialHead,
  type Objective,
  objectiveLoss,
  targetInput,
  targetsOf,
} from "./objective.ts";
import type { ShapedBatch } from "./shape-buckets.ts";
import type { TextBackbone, TokenRow } from "./text-backbone.ts";
import { trainableWeights } from "./trainable-weights.ts";

export interface TailTrainingOptions {
  readonly objective: Objective;
  readonly classCount: number;
  /** Where the head begins; null for an objective without one. */
  readonly head: InitialHead | null;
  readonly classWeights?: ArrayLike<number> | undefined;
  readonly batchRows: number;
  /** Of the vector, before the head. */
  readonly dropout: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  /** Of each text in a step (`keptTokens`). */
  readonly tokensKept: number;
  readonly seed: number;
  readonly threads: number;
  readonly device: Device | undefined;
}

/** The part of a backbone that is trained, and what the frozen part gives it. */
export interface Tail {
  readonly backbone: TextBackbone;
  readonly cut: BlockCut;
  /** The ONNX file from the cut on. */
  readonly part: Uint8Array;
  readonly hidden: HiddenStates;
}

/** What a batch's rows are numbers of. */
export interface GroupedRows {
  readonly rows: readonly TokenRow[];
  /** The class of each, or the pair it belongs to. */
  readonly groups: ArrayLike<number>;
}

const poolingInput = "pooling";

/**
 * Training of a backbone's last blocks with what comes after them, from the hidden states before them. A batch's shape needs a
 * session of its own; all of them share one state, so an epoch may take shapes in any order. Sessions are made when their
 * shape is first met, of which there are a few (`shapeLengths`). `close` frees them.
 */
export class TailTraining implements AsyncDisposable, LearningStep<ShapedBatch> {
  readonly #tail: Tail;
  readonly #data: GroupedRows;
  readonly #options: TailTrainingOptions;
  /** By length; never empty once it is open. */
  readonly #steps = new Map<number, TrainingStep>();

  private constructor(tail: Tail, data: GroupedRows, options: TailTrainingOptions) {
    this.#tail = tail;
    this.#data = data;
    this.#options = options;
  }

  /** `length`: one of those that batches will have. Throws `training_unsupported` where the blocks can't be differentiated. */
  static async open(
    tail: Tail,
    data: GroupedRows,
    length: number,
    options: TailTrainingOptions,
  ): Promise<TailTraining> {
    const training = new TailTraining(tail, data, options);
    await training.#stepOf(length);
    return training;
  }

  /** One step; gives the loss before it. */
  async train({ length, rows }: ShapedBatch, learningRate: number): Promise<{ loss: number }> {
    const { objective, batchRows, classCount, classWeights } = this.#options;
    const step = await this.#stepOf(length);
    const groups = rows.map((row) => this.#data.groups[row] as number);
    const { chosen, values } = await this.#hiddenOf(rows, length, stepRandom(this.#options.seed, step.steps));
    const batch: Record<string, Float32Array | BigInt64Array> = {
      [this.#tail.cut.tensor]: values,
      [poolingInput]: this.#poolingOf(chosen, length),
      [targetInput]: targetsOf(objective, groups, {
        batchRows,
        classCount,
        ...(classWeights === undefined ? {} : { classWeights }),
      }),
    };
    for (const name of this.#tail.cut.inputs) {
      batch[name] = tokenInput(name, chosen, { length, batchRows }) as BigInt64Array;
    }
    return step.train(batch, learningRate);
  }

  state(): Map<string, StateTensor> {
    return this.#anyStep().state();
  }
  restore(state: ReadonlyMap<string, StateTensor>): void {
    this.#anyStep().restore(state);
  }

  /** What was trained, as it is now: the backbone's tensors by their names in its file, and the head's. A copy. */
  trained(): { blocks: Map<string, StateTensor>; head: Map<string, StateTensor> } {
    const step = this.#anyStep();
    const state = step.state();
    const tensors = [...step.trained().keys()].map((name) => [name, state.get(name) as StateTensor] as const);
    const isHead = (name: string) => name.startsWith(`${headName}/`);
    return {
      blocks: new Map(tensors.filter(([name]) => !isHead(name))),
      head: new Map(tensors.filter(([name]) => isHead(name))),
    };
  }

  async close(): Promise<void> {
    for (const step of this.#steps.values()) await step.close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #anyStep(): TrainingStep {
    const [step] = this.#steps.values();
    assert(step, "opened with one");
    return step;
  }

  async #stepOf(length: number): Promise<TrainingStep> {
    const known = this.#steps.get(length);
    if (known !== undefined) return known;
    const [sharing] = this.#steps.values();
    const { weightDecay, clipNorm, threads, device } = this.#options;
    const { graph, loss } = await this.#graphOf(length);
    const step = await TrainingStep.create(graph, loss, {
      optimiser: { weightDecay, clipNorm },
      threads,
      device,
      ...(sharing === undefined ? {} : { sharing }),
    });
    this.#steps.set(length, step);
    return step;
  }

  async #graphOf(length: number): Promise<{ graph: Value["graph"]; loss: Value }> {
    const { batchRows, objective, head, seed } = this.#options;
    const { hiddenSize, pooling } = this.#tail.backbone.model;
    const tokens = { shape: [batchRows, length], type: "int64" } as const;
    const { graph, value } = await readGraph(this.#tail.part, {
      inputs: {
        [this.#tail.cut.tensor]: { shape: [batchRows, length, hiddenSize] },
        ...Object.fromEntries(this.#tail.cut.inputs.map((name) => [name, tokens])),
      },
      outputs: [this.#tail.cut.output],
      seed,
    });
    for (const weights of trainableWeights(graph)) graph.train(weights);
    const weights = graph.input(poolingInput, [batchRows, pooling.modes.length, length]);
    const pooled = weights
      .matmul(value(this.#tail.cut.output))
      .reshape([batchRows, this.#tail.backbone.dimensions]);
    const vectors = dropout(pooled.unit(), this.#options.dropout);
    return { graph, loss: objectiveLoss(objective, vectors, head) };
  }

  /** Of the tokens that are kept of each row, [batch, length, hidden size], and the rows as they then are. */
  async #hiddenOf(
    rows: readonly number[],
    length: number,
    random: Random,
  ): Promise<{ chosen: TokenRow[]; values: Float32Array }> {
    const { hiddenSize, tokensMax } = this.#tail.backbone.model;
    const perRow = length * hiddenSize;
    const values = new Float32Array(this.#options.batchRows * perRow);
    const whole = new Float32Array(tokensMax * hiddenSize);
    const chosen: TokenRow[] = [];
    for (const [at, number] of rows.entries()) {
      const row = this.#data.rows[number] as TokenRow;
      const kept = keptTokens(row, this.#options.tokensKept, random);
      await this.#tail.hidden.read(row, kept === null ? values.subarray(at * perRow) : whole);
      for (const [to, from] of (kept ?? []).entries()) {
        values.set(whole.subarray(from * hiddenSize, (from + 1) * hiddenSize), at * perRow + to * hiddenSize);
      }
      chosen.push(kept === null ? row : { ...row, ids: kept.map((place) => row.ids[place] as number) });
    }
    return { chosen, values };
  }

  #poolingOf(rows: readonly TokenRow[], length: number): Float32Array {
    const perRow = length * this.#tail.backbone.model.pooling.modes.length;
    const weights = new Float32Array(this.#options.batchRows * perRow);
    for (const [at, row] of rows.entries()) {
      this.#tail.backbone.writePooling(row, length, weights.subarray(at * perRow, (at + 1) * perRow));
    }
    return weights;
  }
}

/** Of one step alone, so that a training that goes on from a checkpoint keeps the same tokens. */
function stepRandom(seed: number, step: number): Random {
  return new Random(new Random(seed).uint32() ^ Math.imul(step + 1, 0x9e3779b1));
}
