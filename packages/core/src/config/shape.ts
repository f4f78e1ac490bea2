import { z } from "zod";
import { candidateSpaceShape } from "./candidates.ts";
import { fullTextShape } from "./full-texts.ts";
import { profilesShape } from "./profiles.ts";
import { reducedShape } from "./reduced.ts";
import { sourceShape } from "./sources.ts";
import { taskShape } from "./tasks.ts";
import { trainedSpaceShapes, tunedShape } from "./trained-shape.ts";

/**
 * The shape of a configuration, without its cross-references: `check.ts` adds those. Also the source of the JSON schema
 * that `medley config --json-schema` prints for editors.
 */
const weight = z.number().optional().describe("weight in searches that name none; may be 0 or negative");
const field = z.string();
const from = z
  .strictObject({ folder: z.string().min(1).optional(), hosts: z.array(z.string().min(1)).optional() })
  .optional();
const positiveInteger = z.int().positive();

const spaceShape = z.discriminatedUnion("encoder", [
  z.strictObject({
    encoder: z.literal("text"),
    field: z.union([z.string(), z.array(z.string()).min(1)]),
    model: z.string().min(1).optional(),
    tuned: tunedShape,
    reduced: reducedShape,
    weight,
  }),
  z.strictObject({
    encoder: z.literal("image"),
    field,
    model: z.string().min(1),
    output: z.string().min(1).optional(),
    from,
    tuned: tunedShape,
    reduced: reducedShape,
    weight,
  }),
  z.strictObject({
    encoder: z.literal("audio"),
    field,
    model: z.string().min(1),
    output: z.string().min(1).optional(),
    secondsMax: z.number().positive().max(600).optional(),
    from,
    tuned: tunedShape,
    reduced: reducedShape,
    weight,
  }),
  z.strictObject({
    encoder: z.literal("remote"),
    field: z.union([z.string(), z.array(z.string()).min(1)]),
    url: z.url({ protocol: /^https?$/ }),
    model: z.string().min(1),
    dimensions: positiveInteger.max(4000),
    asksDimensions: z.boolean().optional(),
    keyVariable: z
      .string()
      .regex(/^[A-Z_][A-Z0-9_]*$/)
      .optional(),
    passagePrompt: z.string().optional(),
    queryPrompt: z.string().optional(),
    batchTextsMax: positiveInteger.max(2048).optional(),
    requestsInFlightMax: positiveInteger.max(256).optional(),
    requestsPerMinuteMax: positiveInteger.optional(),
    tokensPerMinuteMax: positiveInteger.optional(),
    tokensMax: positiveInteger.optional(),
    timeoutMs: positiveInteger.max(600_000).optional(),
    reduced: reducedShape,
    weight,
  }),
  z.strictObject({
    encoder: z.literal("number"),
    field,
    range: z.tuple([z.number(), z.number()]),
    scale: z.enum(["linear", "log"]).optional(),
    prefer: z.enum(["high", "low"]).optional(),
    weight,
  }),
  z.strictObject({
    encoder: z.literal("category"),
    field,
    values: z.array(z.string().min(1)).min(1).max(2000),
    unknown: z.enum(["ignore", "other", "reject"]).optional(),
    reduced: reducedShape,
    weight,
  }),
  z.strictObject({
    encoder: z.literal("recency"),
    field,
    horizonDays: z.number().positive().max(36_525),
    harmonics: z.int().min(4).max(256).optional(),
    halfLifeDays: z.number().positive().optional(),
    weight,
  }),
  z.strictObject({ encoder: z.literal("geo"), field, weight }),
  z.strictObject({ encoder: z.literal("vector"), field, reduced: reducedShape, weight }),
  ...trainedSpaceShapes,
]);

export const configShape = z.strictObject({
  collections: z.record(
    z.string(),
    z.strictObject({
      id: z.string().min(1).optional(),
      version: z.string().min(1).optional(),
      fields: z.record(z.string(), z.string()),
      spaces: z.record(z.string(), z.union([spaceShape, candidateSpaceShape(spaceShape)])),
      texts: z.record(z.string(), fullTextShape).optional(),
      tasks: z.record(z.string(), taskShape).optional(),
      sources: z.array(sourceShape).optional(),
      profiles: profilesShape.optional(),
      unknownKeys: z.enum(["reject", "ignore"]).optional(),
    }),
  ),
});

export type ConfigShape = z.infer<typeof configShape>;
export type CollectionShape = ConfigShape["collections"][string];
/** Of a collection in which every space has one encoder. */
export type ServedShape = Omit<CollectionShape, "spaces"> & {
  readonly spaces: Readonly<Record<string, z.infer<typeof spaceShape>>>;
};

/** JSON schema (draft 2020-12) of a configuration file. */
export function configJsonSchema(): unknown {
  return z.toJSONSchema(configShape);
}
