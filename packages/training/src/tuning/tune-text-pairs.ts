import { strict as assert } from "node:assert";
import { replaceTensors } from "../engine/replace-tensors.ts";
import type { TrainingOptions } from "../progress.ts";
import type { TrainedModel } from "../trained-model.ts";
import { type BlockSettings, fitTail } from "./fit-tail.ts";
import { HiddenStates } from "./hidden-states.ts";
import type { Objective } from "./objective.ts";
import type { TailTraining } from "./tail-training.ts";
import { tailVectors } from "./tail-vectors.ts";
import { TextBackbone, type TextBackboneOptions } from "./text-backbone.ts";
import { jsonBytes, tunedArtefact, type WeightStorage } from "./tuned-artefact.ts";

/** Two texts that belong together: a question and its answer, a title and its text. */
export type TextPair = readonly [string, string];

export interface TuneTextPairsOptions extends TextBackboneOptions, TrainingOptions {
  readonly train: readonly TextPair[];
  /** Pairs that choose the epoch: at least two. */
  readonly validation: readonly TextPair[];
  readonly settings: Omit<BlockSettings, "objective" | "balances">;
  /** Of the contrast (`Objective`). */
  readonly temperature?: number;
  readonly cacheDirectory?: string;
  /** Default 2 GiB. */
  readonly cacheBytesMax?: number;
  /** Default `float32`. */
  readonly stores?: WeightStorage;
}

const cacheBytesDefault = 2 * 2 ** 30;

/**
 * Fine-tunes the last blocks of a text model on pairs: the two of a pair are brought near each other and away from all others of the
 * batch (NT-Xent, Chen et al. 2020; InfoNCE, van den Oord et al. 2018). The epoch is kept in which validation pairs find each
 * other best: the mean reciprocal rank of each text's partner among all the others. There is no classifier.
 *
 * Throws as opening the model and `TextBackbone.cut` do.
 */
export async function tuneTextPairs(options: TuneTextPairsOptions): Promise<TrainedModel> {
  const { settings, train, validation, seed, threads = 1, signal, stores = "float32" } = options;
  assert(train.length > 1 && validation.length > 1, "pairs to contrast");
  assert(settings.batchRows % 2 === 0, "whole pairs in a batch");
  const { environment, lock, temperature, cacheBytesMax = cacheBytesDefault } = options;
  const backbone = await TextBackbone.open(options);
  const { cut, part } = backbone.cut(settings.blocks);
  await using hidden = await HiddenStates.open(backbone, cut.tensor, { ...options, cacheBytesMax });
  const tail = { backbone, cut, part, hidden };
  const tokens = (pairs: readonly TextPair[], name: string) =>
    backbone.rowsOf(pairs.flat(), (at) => `text ${(at % 2) + 1} of the ${name} pair ${(at >> 1) + 1}`);
  const [rows, held] = [tokens(train, "training"), tokens(validation, "validation")];
  await hidden.compute([...rows, ...held]);
  const objective: Objective = { kind: "contrastive", ...(temperature === undefined ? {} : { temperature }) };
  const judge = async (training: TailTraining, until: AbortSignal | undefined) => {
    const { blocks } = training.trained();
    const vectors = await tailVectors(tail, blocks, held, { threads, signal: until });
    return { blocks, rank: reciprocalRank(vectors, backbone.dimensions) };
  };
  const { found, curves } = await fitTail(
    tail,
    { rows, groups: rows.map((_, row) => row >> 1) },
    {
      ...{ settings, objective, head: null, judge, seed, threads },
      ...(signal === undefined ? {} : { signal }),
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
      metricsOf: ({ rank }) => ({ "validation/reciprocal_rank": rank }),
      best: { by: "validation/reciprocal_rank", better: "higher" },
    },
  );
  const { name, kind, dimensions, model, tokensMax } = backbone.model;
  const artefact = await tunedArtefact(
    { ...{ name, kind, dimensions, environment, lock }, contents: model.contents },
    {
      ...{ onnx: replaceTensors(backbone.bytes, found.blocks), blocks: cut.blocks, stores, classifier: null },
      changed: new Map([["sentence_bert_config.json", jsonBytes({ max_seq_length: tokensMax })]]),
    },
  );
  return { ...artefact, metrics: { "validation/reciprocal_rank": found.rank }, curves };
}

/** Of rows 2k and 2k + 1, which are partners: the mean of 1 / rank of a row's partner by cosine among all other rows. */
function reciprocalRank(vectors: Float32Array, dimensions: number): number {
  const count = vectors.length / dimensions;
  const cosine = (a: number, b: number) => {
    let sum = 0;
    for (let d = 0; d < dimensions; d += 1)
      sum += (vectors[a * dimensions + d] as number) * (vectors[b * dimensions + d] as number);
    return sum;
  };
  let total = 0;
  for (let row = 0; row < count; row += 1) {
    const partner = cosine(row, row ^ 1);
    let rank = 1;
    for (let other = 0; other < count; other += 1) {
      if (other !== row && other !== (row ^ 1) && cosine(row, other) > partner) rank += 1;
    }
    total += 1 / rank;
  }
  return total / count;
}
