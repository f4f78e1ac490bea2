import type { Collection } from "@medley/core";
import { kindOf, operators, spokenFields, spokenSpaces, valuesOf } from "./spoken-query.ts";

/** Names that are told of a space; a sentence that uses others is read by what they look like. */
const valuesToldMax = 200;

/** The JSON schema of a `SpokenQuery` of a collection, strict: every key is required, none may be added. */
export function spokenSchema(collection: Collection): object {
  const orNull = (type: string, more: object = {}) => ({ type: [type, "null"], ...more });
  const texts = orNull("array", { items: { type: "string" } });
  return strictObject({
    parts: {
      type: "array",
      items: strictObject({
        space: {
          type: "string",
          enum: [...spokenSpaces(collection), ...collection.texts].map(({ name }) => name),
        },
        text: orNull("string"),
        number: orNull("number"),
        prefer: orNull("string", { enum: ["high", "low", null] }),
        categories: texts,
        weight: orNull("number"),
      }),
    },
    conditions: {
      type: "array",
      items: strictObject({
        field: { type: "string", enum: [...spokenFields(collection).map(({ name }) => name), "none"] },
        operator: { type: "string", enum: operators },
        text: orNull("string"),
        number: orNull("number"),
        texts,
      }),
    },
    k: orNull("integer"),
  });
}

function strictObject(properties: Readonly<Record<string, object>>): object {
  return { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
}

/** What a chat model is told before it is given the sentence. */
export function spokenInstructions(collection: Collection, now: Date): string {
  const spaces = spokenSpaces(collection).map((space) => {
    const { name, fields, definition } = space;
    const kind = kindOf(space);
    const range = definition.encoder === "number" ? ` from ${definition.range.join(" to ")}` : "";
    return `- ${name} (${kind}${range}, of ${fields.join(", ")})${toldValues(collection, fields[0] as string)}`;
  });
  const words = collection.texts.map(
    ({ name, fields }) => `- ${name} (words, of ${fields.map(({ field }) => field).join(", ")})`,
  );
  const fields = spokenFields(collection).map(({ name, type }) => `- ${name} (${type})`);
  return [
    `You turn a sentence into a search of the collection "${collection.name}". Today is ${now.toISOString().slice(0, 10)}.`,
    "Records are ranked by parts, each of a space, and kept or left out by conditions on fields.",
    "A text space takes `text`: what the record is about, without what other parts and conditions say. A number space takes `number`,",
    "to be near to, or `prefer` an end. A categories space takes `categories`. A recency space prefers new records; `number` is a half-life in days.",
    ...(words.length === 0
      ? []
      : [
          "A words space takes `text`: names, numbers and quotations that records have to hold as they stand, as typed into a search engine (all of",
          "them, `or` between two for either, quotes for words side by side); only where the sentence has such, which stay in the text spaces' text, too.",
        ]),
    "`weight` only where the sentence says that something matters more or less than the rest (1 is usual, negative: the opposite).",
    "A condition only for what must hold (before, at least, only, without). Ordered fields: eq ne lt lte gt gte; category: eq ne;",
    "categories: any all none with `texts`; times as ISO 8601 in `text`. `k` only where a number of results is asked for. All else is null.",
    `Spaces:\n${[...spaces, ...words].join("\n")}`,
    `Fields:\n${fields.join("\n")}`,
  ].join("\n");
}

function toldValues(collection: Collection, field: string): string {
  const values = valuesOf(collection, field);
  if (values === null) return "";
  const more = values.length > valuesToldMax ? ", and others" : "";
  return `: ${values.slice(0, valuesToldMax).join(", ")}${more}`;
}
