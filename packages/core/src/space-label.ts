import type { Collection } from "./collection.ts";
import { isTunedSpace } from "./config/trained-spaces.ts";

/** What the classifier of a tuned space says of a record. */
export interface SpaceLabel {
  readonly label: string;
  /** Of the label, up to 1. */
  readonly probability: number;
}

/**
 * Tells a segment's class. It is given segments as they are stored, so that one says the same whether it was encoded or
 * copied.
 */
export interface Classifier {
  /** Null for a segment that is all zero: there is nothing to tell it by. */
  classify(segment: Float16Array): SpaceLabel | null;
}

/** The columns that a tuned space adds to its collection's fields: `label` is text, `probability` a real. */
export interface LabelColumns {
  readonly space: string;
  readonly label: string;
  readonly probability: string;
}

export function labelColumns(space: string): LabelColumns {
  return { space, label: `${space}_label`, probability: `${space}_probability` };
}

/** Of every space that is tuned, in their order, whether its artefact has a classifier or not. */
export function labelColumnsOf({ spaces }: Pick<Collection, "spaces">): readonly LabelColumns[] {
  return spaces.filter(({ definition }) => isTunedSpace(definition)).map(({ name }) => labelColumns(name));
}
