import type { Fields, VectorFieldType } from "../fields.ts";

/** The names of the fields of `F` whose type is `T`; `never` where there is none, which makes a misfit a compile error. */
export type FieldOf<F extends Fields, T extends string> = {
  [Name in keyof F]: F[Name] extends T ? Name : never;
}[keyof F] &
  string;

interface Weighted {
  /** Weight in searches that name none; may be 0 or negative. Default 1. */
  weight?: number;
}

/**
 * A sentence embedding by a pre-trained model. Several fields are joined with a line break.
 * `model`: a name (`all-MiniLM-L6-v2` travels with Medley), a Hugging Face id found in the hub cache on disk, or a path.
 */
export interface TextSpace<F extends Fields> extends Weighted {
  encoder: "text";
  field: FieldOf<F, "text"> | readonly FieldOf<F, "text">[];
  model?: string;
}

/** A number on a range. `prefer` is what a search asks for when it names no value: the highest, the lowest, or nothing. */
export interface NumberSpace<F extends Fields> extends Weighted {
  encoder: "number";
  field: FieldOf<F, "number">;
  /** Smallest and largest value; values outside count as the nearest end. */
  range: readonly [min: number, max: number];
  /** `log`: equal ratios are equally far apart; the range must be above 0. Default `linear`. */
  scale?: "linear" | "log";
  prefer?: "high" | "low";
}

/** One dimension per category. */
export interface CategorySpace<F extends Fields> extends Weighted {
  encoder: "category";
  field: FieldOf<F, "category" | "categories" | "shares">;
  values: readonly string[];
  /**
   * A value not in `values`: `ignore` it (default; a record with unknown values only has no segment), count all of
   * them as one `other` category, or `reject` the record.
   */
  unknown?: "ignore" | "other" | "reject";
}

/** How recent a timestamp is; *now* and the half-life are said by the search, so stored vectors never go stale. */
export interface RecencySpace<F extends Fields> extends Weighted {
  encoder: "recency";
  field: FieldOf<F, "timestamp">;
  /** The age up to which order is kept; older counts as that old. */
  horizonDays: number;
  /** Two dimensions each; more resolve shorter half-lives. */
  harmonics?: number;
  /** Of searches that name none. Default: a quarter of the horizon. */
  halfLifeDays?: number;
}

/** A place on the unit sphere: nearness by great-circle distance. */
export interface GeoSpace<F extends Fields> extends Weighted {
  encoder: "geo";
  field: FieldOf<F, "geo">;
}

/** The user's own vector, scaled to unit length. */
export interface VectorSpace<F extends Fields> extends Weighted {
  encoder: "vector";
  field: FieldOf<F, VectorFieldType>;
}

export type SpaceDefinition<F extends Fields = Fields> =
  | TextSpace<F>
  | NumberSpace<F>
  | CategorySpace<F>
  | RecencySpace<F>
  | GeoSpace<F>
  | VectorSpace<F>;

export type EncoderName = SpaceDefinition["encoder"];

export interface CollectionDefinition<F extends Fields> {
  /** The input key that holds the record's id. Default `id`. */
  id?: string;
  /** The input key that holds the record's version, an integer that only grows. Default: given on arrival. */
  version?: string;
  fields: F;
  spaces: Readonly<Record<string, SpaceDefinition<F>>>;
  /** Input keys that are no field: `reject` the record (default), so that a typo can't lose data, or `ignore` them. */
  unknownKeys?: "reject" | "ignore";
}

export interface MedleyDefinition<C extends Readonly<Record<string, Fields>>> {
  collections: { readonly [Name in keyof C]: CollectionDefinition<C[Name]> };
}
