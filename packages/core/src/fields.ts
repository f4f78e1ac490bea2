/** The types a field can have, besides `vector(n)`. */
export const fieldTypes = [
  "text",
  "image",
  "audio",
  "category",
  "categories",
  "shares",
  "number",
  "timestamp",
  "geo",
  "edges",
  "series",
] as const;

/** `vector(384)`: the user's own vector of that many dimensions. */
export type VectorFieldType = `vector(${number})`;
export type FieldType = (typeof fieldTypes)[number] | VectorFieldType;

export type Fields = Readonly<Record<string, FieldType>>;

export interface GeoPoint {
  /** Degrees, -90 to 90. */
  readonly lat: number;
  /** Degrees, -180 to 180. */
  readonly lon: number;
}

/** A window of measurements. */
export interface Series {
  /** Milliseconds since 1970, rising, one per step; null where only the order counts. */
  readonly times: readonly number[] | null;
  /** [step][channel]; every step has the same channels, null where one was not measured. */
  readonly values: readonly (readonly (number | null)[])[];
}

/** Values as they travel and are stored, after validation. A missing field is `null`. */
export interface FieldValues {
  text: string;
  /** Where a picture's or clip's bytes are, see `record/content.ts`. */
  image: string;
  audio: string;
  category: string;
  categories: readonly string[];
  /** Category to its share, each ≥ 0; only the proportions count. */
  shares: Readonly<Record<string, number>>;
  number: number;
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  timestamp: number;
  geo: GeoPoint;
  /** What the record's edges lead to, by id, with weights above 0. */
  edges: Readonly<Record<string, number>>;
  series: Series;
  vector: readonly number[];
}

export type FieldValue = FieldValues[keyof FieldValues];

/** The values of one record by field name. */
export type RecordFields = Readonly<Record<string, FieldValue | null>>;

/** pgvector's limit for an HNSW index over halfvec. */
export const dimensionsMax = 4000;

/** The number in `vector(n)`, or `undefined` for any other type. */
export function vectorDimensions(type: string): number | undefined {
  const match = /^vector\(([1-9][0-9]{0,4})\)$/.exec(type);
  return match ? Number(match[1]) : undefined;
}
