import { suggestion } from "../closest.ts";
import { labelColumns } from "../space-label.ts";
import type { SpaceDefinition } from "./definition.ts";
import type { ServedShape } from "./shape.ts";

/** What is wrong with the training part of a space: targets and features that are not there, or not of use. */
export function* trainedProblems(
  name: string,
  definition: SpaceDefinition,
  shape: ServedShape,
): Generator<string> {
  switch (definition.encoder) {
    case "words": {
      const [min, max] = definition.ngrams ?? [1, 1];
      if (min > max) yield `ngrams [${min}, ${max}] are none; the first number is the shortest run of words`;
      break;
    }
    case "entity":
      yield* targetProblems(definition, ["category", "number"], shape);
      break;
    case "time2vec":
      yield* targetProblems(definition, ["category", "number"], shape);
      break;
    case "graphsage":
      yield* featuresProblems(name, definition.features, shape);
      yield* targetProblems(definition, ["category"], shape);
      break;
    case "text":
    case "image":
    case "audio":
      if (definition.tuned !== undefined) {
        yield* targetProblems({ ...definition.tuned, field: definition.field }, ["category"], shape);
        yield* labelProblems(name, shape);
      }
  }
}

function* targetProblems(
  { target, field }: { readonly target?: string; readonly field: string | readonly string[] },
  types: readonly string[],
  { fields }: ServedShape,
): Generator<string> {
  if (target === undefined) return;
  const type = Object.hasOwn(fields, target) ? fields[target] : undefined;
  if (type === undefined) {
    yield `target "${target}" does not exist; ${suggestion(target, Object.keys(fields))}`;
  } else if (!types.includes(type)) {
    yield `target "${target}" is ${type}; it must be a field of type ${types.join(" or ")}`;
  } else if ([field].flat().includes(target)) {
    yield `target "${target}" is the field itself; name the field that it should tell something of`;
  }
}

function* labelProblems(name: string, { fields }: ServedShape): Generator<string> {
  const { label, probability } = labelColumns(name);
  for (const column of [label, probability]) {
    if (!Object.hasOwn(fields, column)) continue;
    yield `it is tuned, so what it tells stands in a column "${column}", which is also the name of a field; rename the field or the space`;
  }
}

function* featuresProblems(
  name: string,
  features: readonly string[],
  { spaces }: ServedShape,
): Generator<string> {
  const seen = new Set<string>();
  for (const feature of features) {
    const encoder = Object.hasOwn(spaces, feature) ? spaces[feature]?.encoder : undefined;
    if (feature === name) yield "features name the space itself; name other spaces";
    else if (encoder === undefined) {
      const others = Object.keys(spaces).filter((space) => space !== name);
      yield `features: there is no space "${feature}"; ${suggestion(feature, others)}`;
    } else if (encoder === "graphsage") {
      yield `features: "${feature}" is a graphsage space itself; name the spaces that it is made from`;
    }
    if (seen.has(feature)) yield `features: "${feature}" is named twice; remove one`;
    seen.add(feature);
  }
}
