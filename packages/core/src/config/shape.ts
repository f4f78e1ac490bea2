import { z } from "zod";

/**
 * The shape of a configuration, without its cross-references: `check.ts` adds those. Also the source of the JSON schema
 * that `medley config --json-schema` prints for editors.
 */
const weight = z.number().optional().describe("weight in searches that name none; may be 0 or negative");
const field = z.string();

const spaceShape = z.discriminatedUnion("encoder", [
  z.strictObject({
    encoder: z.literal("text"),
    field: z.union([z.string(), z.array(z.string()).min(1)]),
    model: z.string().min(1).optional(),
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
  z.strictObject({ encoder: z.literal("vector"), field, weight }),
]);

export const configShape = z.strictObject({
  collections: z.record(
    z.string(),
    z.strictObject({
      id: z.string().min(1).optional(),
      version: z.string().min(1).optional(),
      fields: z.record(z.string(), z.string()),
      spaces: z.record(z.string(), spaceShape),
      unknownKeys: z.enum(["reject", "ignore"]).optional(),
    }),
  ),
});

export type ConfigShape = z.infer<typeof configShape>;
export type CollectionShape = ConfigShape["collections"][string];

/** JSON schema (draft 2020-12) of a configuration file. */
export function configJsonSchema(): unknown {
  return z.toJSONSchema(configShape);
}
