import { z } from "zod";
import { dimensionsMax } from "../fields.ts";

/** The shape of spaces whose encoder is trained, see `trained-spaces.ts`. */
const field = z.string();
const weight = z.number().optional().describe("weight in searches that name none; may be 0 or negative");
const dimensions = z.int().min(2).max(dimensionsMax);
const positiveInteger = z.int().positive();

const trained = { field, dimensions, weight };
const seriesShape = {
  ...trained,
  lookback: positiveInteger.max(4096).optional(),
  horizon: positiveInteger.max(4096).optional(),
};

export const trainedSpaceShapes = [
  z.strictObject({
    ...trained,
    encoder: z.literal("words"),
    field: z.union([field, z.array(field).min(1)]),
    ngrams: z.tuple([positiveInteger.max(5), positiveInteger.max(5)]).optional(),
    vocabularyMax: positiveInteger.max(1_000_000).optional(),
  }),
  z.strictObject({ ...trained, encoder: z.literal("entity"), target: field.optional() }),
  z.strictObject({
    ...trained,
    encoder: z.literal("node2vec"),
    directed: z.boolean().optional(),
    p: z.number().positive().max(1000).optional(),
    q: z.number().positive().max(1000).optional(),
  }),
  z.strictObject({
    ...trained,
    encoder: z.literal("graphsage"),
    features: z.array(z.string()).min(1).max(32),
    aggregator: z.enum(["mean", "pool"]).optional(),
    target: field.optional(),
  }),
  z.strictObject({ ...trained, encoder: z.literal("time2vec"), target: field }),
  z.strictObject({ ...seriesShape, encoder: z.literal("dlinear") }),
  z.strictObject({ ...seriesShape, encoder: z.literal("nlinear") }),
  z.strictObject({ ...seriesShape, encoder: z.literal("autoformer") }),
  z.strictObject({ ...seriesShape, encoder: z.literal("informer") }),
] as const;

export const tunedShape = z
  .strictObject({ target: field, blocks: z.int().nonnegative().max(64).optional() })
  .optional();
