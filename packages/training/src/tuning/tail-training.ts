import { strict as assert } from "node:assert";
import { TrainingStep } from "../engine/training-step.ts";
import { readGraph } from "../engine/read-graph.ts";
import { dropout } from "../engine/layers.ts";
import type { Value } from "../engine/value.ts";
import { tokenInput, type HiddenStates } from "./hidden-states.ts";
import type { BlockCut } from "./blocks.ts";
import { type Objective, objectiveLoss, targetInput, targetsOf } from "./objective.ts";
import type { ShapedBatch } from "./shape-buckets.ts";
import type { TextBackbone, TokenRow } from "./text-backbone.ts";
import { trainableWeights } from "./trainable-weights.ts";

export interface TailTrainingOptions {
  readonly objective: Objective;
  readonly classCount: number;
  readonly classWeights?: ArrayLike<number> | undefined;
  readonly batchRows: number;
  /** Of the vector, before the head. */
  readonly dropout: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly seed: number;
  readonly threads: number;
}

const poolingInput = "pooling";

/**
 * Training of a backbone's last blocks with what comes after them, from the hidden states before them. A batch's shape needs a
 * session of its own; all of them share one state, so an epoch may take shapes in any order. Sessions are made when their
 * shape is first met, of which there are a few (`shapeLengths`). `close` frees them.
 */
export class TailTraining implements AsyncDisposable {
  readonly #backbone: TextBackbone;
  readonly #cut: BlockCut;
  readonly #part: Uint8Array;
  readonly #hidden: HiddenStates;
  readonly #options: TailTrainingOptions;
  readonly #steps = new Map<number, TrainingStep>();

  constructor(
    backbone: TextBackbone,
    { cut, part }: { cut: BlockCut; part: Uint8Array },
    hidden: HiddenStates,
    options: TailTrainingOptions,
  ) {
    this.#backbone = backbone;
    this.#cut = cut;
    this.#part = part;
    this.#hidden = hidden;
    this.#options = options;
  }

  /** One step on rows of `groups` (classes, or pairs); gives the loss before it. Throws `training_unsupported`. */
  async train(
    { length, rows }: ShapedBatch,
    data: { readonly rows: readonly TokenRow[]; readonly groups: ArrayLike<number> },
    learningRate: number,
  ): Promise<number> {
    const { objective, batchRows, classCount, classWeights } = this.#options;
    const step = await this.#stepOf(length);
    const chosen = rows.map((row) => data.rows[row] as TokenRow);
    const groups = rows.map((row) => data.groups[row] as number);
    const batch: Record<string, Float32Array | BigInt64Array> = {
      [this.#cut.tensor]: await this.#hiddenOf(chosen, length),
      [poolingInput]: this.#poolingOf(chosen, length),
      [targetInput]: targetsOf(objective, groups, {
        batchRows,
        classCount,
        ...(classWeights === undefined ? {} : { classWeights }),
      }),
    };
    for (const name of this.#cut.inputs) {
      batch[name] = tokenInput(name, chosen, { length, batchRows }) as BigInt64Array;
    }
    return (await step.train(batch, learningRate)).loss;
  }

  /** What was trained, by name, as it is now; a copy. Before the first step: empty. */
  trained(): Map<string, { readonly dims: readonly number[]; readonly data: Float32Array }> {
    const [step] = this.#steps.values();
    if (step === undefined) return new Map();
    const state = step.state();
    return new Map(
      [...step.trained().keys()].map((name) => {
        const tensor = state.get(name);
        assert(tensor, `the state has ${name}`);
        return [name, tensor];
      }),
    );
  }

  async close(): Promise<void> {
    for (const step of this.#steps.values()) await step.close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #stepOf(length: number): Promise<TrainingStep> {
    const known = this.#steps.get(length);
    if (known !== undefined) return known;
    const [sharing] = this.#steps.values();
    const { weightDecay, clipNorm, threads } = this.#options;
    const { graph, loss } = await this.#graphOf(length);
    const step = await TrainingStep.create(graph, loss, {
      optimiser: { weightDecay, clipNorm },
      threads,
      ...(sharing === undefined ? {} : { sharing }),
    });
    this.#steps.set(length, step);
    return step;
  }

  async #graphOf(length: number): Promise<{ graph: Value["graph"]; loss: Value }> {
    const { batchRows, objective, classCount, seed } = this.#options;
    const { hiddenSize, pooling } = this.#backbone.model;
    const tokens = { shape: [batchRows, length], type: "int64" } as const;
    const { graph, value } = await readGraph(this.#part, {
      inputs: {
        [this.#cut.tensor]: { shape: [batchRows, length, hiddenSize] },
        ...Object.fromEntries(this.#cut.inputs.map((name) => [name, tokens])),
      },
      outputs: [this.#cut.output],
      seed,
    });
    for (const weights of trainableWeights(graph)) graph.train(weights);
    const weights = graph.input(poolingInput, [batchRows, pooling.modes.length, length]);
    const pooled = weights.matmul(value(this.#cut.output)).reshape([batchRows, this.#backbone.dimensions]);
    const vectors = dropout(pooled.unit(), this.#options.dropout);
    return { graph, loss: objectiveLoss(objective, vectors, { classCount }) };
  }

  async #hiddenOf(rows: readonly TokenRow[], length: number): Promise<Float32Array> {
    const perRow = length * this.#backbone.model.hiddenSize;
    const values = new Float32Array(this.#options.batchRows * perRow);
    for (const [at, row] of rows.entries()) {
      await this.#hidden.read(row, values.subarray(at * perRow, (at + 1) * perRow));
    }
    return values;
  }

  #poolingOf(rows: readonly TokenRow[], length: number): Float32Array {
    const perRow = length * this.#backbone.model.pooling.modes.length;
    const weights = new Float32Array(this.#options.batchRows * perRow);
    for (const [at, row] of rows.entries()) {
      this.#backbone.writePooling(row, length, weights.subarray(at * perRow, (at + 1) * perRow));
    }
    return weights;
  }
}
