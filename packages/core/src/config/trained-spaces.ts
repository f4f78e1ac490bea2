import type { Fields } from "../fields.ts";
import type { FieldOf, SpaceDefinition, Weighted } from "./definition.ts";
import { projectionOf } from "./reduced.ts";

/**
 * Spaces whose encoder is trained on the user's own data: `medley train COLLECTION.SPACE` makes the artefact that serves.
 * What a definition says decides the next training; the artefact in use knows what it was trained with.
 */
interface Trained extends Weighted {
  /** Of the segment. */
  dimensions: number;
}

/** A text's words: TF-IDF of n-grams, reduced by truncated SVD. Several fields are joined with a line break. */
export interface WordsSpace<F extends Fields> extends Trained {
  encoder: "words";
  field: FieldOf<F, "text"> | readonly FieldOf<F, "text">[];
  /** Shortest and longest run of words that counts as one term. Default [1, 2]. */
  ngrams?: readonly [min: number, max: number];
  /** The most frequent terms are kept. */
  vocabularyMax?: number;
}

/** A category's embedding, learned from what it says of `target`, or else from the categories that it occurs with. */
export interface EntitySpace<F extends Fields> extends Trained {
  encoder: "entity";
  field: FieldOf<F, "category" | "categories">;
  target?: FieldOf<F, "category" | "number">;
}

/** A node's place in a graph, from random walks (Grover and Leskovec, 2016). The record's id is the node's. */
export interface Node2VecSpace<F extends Fields> extends Trained {
  encoder: "node2vec";
  field: FieldOf<F, "edges">;
  /** Walks go along edges in their direction only. Default false. */
  directed?: boolean;
  /** Return parameter: above 1 a walk seldom turns back. Default 4. */
  p?: number;
  /** In-out parameter: above 1 a walk stays near, below it goes far. Default 1. */
  q?: number;
}

/** A node's features and those of its neighbours (Hamilton, Ying and Leskovec, 2017): also of nodes not trained on. */
export interface GraphsageSpace<F extends Fields> extends Trained {
  encoder: "graphsage";
  field: FieldOf<F, "edges">;
  /** Names of other spaces of the collection, whose segments are a node's features. */
  features: readonly string[];
  aggregator?: "mean" | "pool";
  /** What to tell apart; without it, nodes that walks visit together are to be alike. */
  target?: FieldOf<F, "category">;
}

/** What a point in time says of `target`: trend and learned periods (Kazemi et al., 2019). */
export interface Time2VecSpace<F extends Fields> extends Trained {
  encoder: "time2vec";
  field: FieldOf<F, "timestamp">;
  target: FieldOf<F, "category" | "number">;
}

/** A window of a time series, by a model that learned to forecast what comes after it. */
export interface SeriesSpace<F extends Fields> extends Trained {
  encoder: "dlinear" | "nlinear" | "autoformer" | "informer";
  field: FieldOf<F, "series">;
  /** Steps that the model looks at: the last of a longer series. Default 96. */
  lookback?: number;
  /** Steps that it learns to forecast. Default: as many as fit the data. */
  horizon?: number;
}

/** A pre-trained model that is trained on, and the artefact of it that takes the model's place. */
export interface Tuned<F extends Fields> {
  tuned?: {
    /** What the tuned model learns to tell: rows then say it in two columns, `SPACE_label` and `SPACE_probability`. */
    readonly target: FieldOf<F, "category">;
    /** Of the model's last blocks, how many are trained with the head. Default: chosen on a validation split. */
    readonly blocks?: number;
  };
}

export type TrainedSpace<F extends Fields = Fields> =
  | WordsSpace<F>
  | EntitySpace<F>
  | Node2VecSpace<F>
  | GraphsageSpace<F>
  | Time2VecSpace<F>
  | SeriesSpace<F>;

/** Encoders that exist only once they were trained. */
export const trainedEncoders = [
  "words",
  "entity",
  "node2vec",
  "graphsage",
  "time2vec",
  "dlinear",
  "nlinear",
  "autoformer",
  "informer",
] as const satisfies readonly TrainedSpace["encoder"][];

export function isTrainedSpace<F extends Fields>(
  definition: SpaceDefinition<F>,
): definition is TrainedSpace<F> {
  return (trainedEncoders as readonly string[]).includes(definition.encoder);
}

/** Whose pre-trained model gives way to an artefact of its own, once it is trained. */
export function isTunedSpace(definition: SpaceDefinition): boolean {
  return "tuned" in definition && definition.tuned !== undefined;
}

/** Served by an artefact of its own: what was trained, tuned or fitted on the collection's records. */
export function hasArtefact(definition: SpaceDefinition): boolean {
  return isTrainedSpace(definition) || isTunedSpace(definition) || projectionOf(definition) !== undefined;
}

/** Whose encoder reads a record's id beside its field: as a node, and its edges. */
export function isGraphSpace<F extends Fields>(
  definition: SpaceDefinition<F>,
): definition is Node2VecSpace<F> | GraphsageSpace<F> {
  return definition.encoder === "node2vec" || definition.encoder === "graphsage";
}

/** Names of the spaces whose segments a space's encoder reads besides its field. */
export function featuresOfSpace(definition: SpaceDefinition): readonly string[] {
  return definition.encoder === "graphsage" ? definition.features : [];
}

/** The field that only a space's training reads. */
export function targetOf(definition: SpaceDefinition): string | null {
  if ("tuned" in definition) return definition.tuned?.target ?? null;
  return "target" in definition ? (definition.target ?? null) : null;
}
