import { strict as assert } from "node:assert";
import type { Field, Space } from "../collection.ts";
import { isTrainedSpace } from "../config/trained-spaces.ts";
import type { Encoder } from "../encoder.ts";
import { vectorDimensions } from "../fields.ts";
import { type Clock, systemClock } from "../ports/clock.ts";
import { categoryEncoder } from "./category.ts";
import { geoEncoder } from "./geo.ts";
import { numberEncoder } from "./number.ts";
import { recencyEncoder } from "./recency.ts";
import { vectorEncoder } from "./vector.ts";

/**
 * The encoder of a checked space, or null where it needs a model, pre-trained or trained. `fields` are the collection's; the clock says
 * what *now* is for recency queries that don't.
 */
export function closedFormEncoder(
  space: Space,
  fields: readonly Field[],
  clock: Clock = systemClock,
): Encoder | null {
  const { name, definition } = space;
  if (isTrainedSpace(definition)) return null;
  switch (definition.encoder) {
    case "text":
    case "image":
    case "audio":
    case "remote":
      return null;
    case "number":
      return numberEncoder(name, definition);
    case "category":
      return categoryEncoder(name, definition);
    case "recency":
      return recencyEncoder(name, definition, clock);
    case "geo":
      return geoEncoder(name);
    case "vector": {
      const field = fields.find((candidate) => candidate.name === space.fields[0]);
      const dimensions = field && vectorDimensions(field.type);
      assert(dimensions !== undefined, `space "${name}" has a vector field`);
      return vectorEncoder(name, dimensions);
    }
  }
}
