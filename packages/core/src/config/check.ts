import type { z } from "zod";
import { suggestion } from "../closest.ts";
import { type Collection, type Field, type Space, spaceOf } from "../collection.ts";
import { MedleyError } from "../errors.ts";
import { dimensionsMax, type FieldType, fieldTypes, vectorDimensions } from "../fields.ts";
import { candidateProblems } from "./candidates.ts";
import type { ContentSources, EncoderName, SpaceDefinition } from "./definition.ts";
import { type FullText, fullTextOf, fullTextProblems } from "./full-texts.ts";
import { parseHostPattern } from "./host-pattern.ts";
import { profilesOf, profilesProblems } from "./profiles.ts";
import { reducedProblems } from "./reduced.ts";
import { remoteAddressProblems } from "./remote-address.ts";
import { type CollectionShape, configShape, type ServedShape } from "./shape.ts";
import { type SourceDefinition, sharedGroups, sourcesProblems } from "./sources.ts";
import { type CollectionTask, taskOf, taskProblems } from "./tasks.ts";
import { trainedProblems } from "./trained-problems.ts";
import { featuresOfSpace } from "./trained-spaces.ts";

/** Which field types an encoder reads. */
const encoderFieldTypes: Record<EncoderName, readonly string[]> = {
  text: ["text"],
  image: ["image"],
  audio: ["audio"],
  remote: ["text"],
  number: ["number"],
  category: ["category", "categories", "shares"],
  recency: ["timestamp"],
  geo: ["geo"],
  vector: ["vector(n)"],
  words: ["text"],
  entity: ["category", "categories"],
  node2vec: ["edges"],
  graphsage: ["edges"],
  time2vec: ["timestamp"],
  dlinear: ["series"],
  nlinear: ["series"],
  autoformer: ["series"],
  informer: ["series"],
};

// Identifiers in Postgres (63 bytes), with room for a generation's suffix.
const namePattern = /^[a-z][a-z0-9_]{0,39}$/;
const nameRule = "a name is 1-40 of a-z, 0-9 and _, beginning with a letter";
const reservedFields = new Set(["id", "version", "indexed_at", "deleted_at", "segment_hashes", "embedding"]);
const reservedCollections = new Set(["dead_letters"]);

/**
 * Checks a loaded configuration and freezes it into collections. Throws `MedleyError` `config_invalid` that lists every
 * problem, each with the place (collection, space, field) and the mend. `file` is named in the message.
 */
export function checkConfig(input: unknown, file = "medley.config.ts"): readonly Collection[] {
  const parsed = configShape.safeParse(input);
  const problems = parsed.success
    ? []
    : parsed.error.issues
        .flatMap((issue) => meantIssues(issue, input))
        .map((issue) => shapeProblem(issue, input));
  if (!parsed.success) throw configError(file, problems);
  const entries = Object.entries(parsed.data.collections);
  if (entries.length === 0) problems.push("collections: there is none; add one with its fields and spaces");
  const collections = entries.map(([name, shape]) => checkCollection(name, shape, problems));
  problems.push(...sharedGroups(collections.flatMap(({ sources }) => sources)));
  if (problems.length > 0) throw configError(file, problems);
  return Object.freeze(collections);
}

function configError(file: string, problems: readonly string[]): MedleyError {
  const list = problems.map((problem) => `\n  - ${problem}`).join("");
  return new MedleyError("config_invalid", `${file} has ${problems.length} problem(s):${list}`, {
    mend: "correct the places named above; `medley config --json-schema` prints what a configuration may hold",
  });
}

/** Of what fits neither of two forms, a space or a text's fields, what is wrong by the form that it was meant to have. */
function meantIssues(issue: z.core.$ZodIssue, input: unknown): readonly z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union" || issue.errors.length !== 2) return [issue];
  const given = valueAt(issue.path, input);
  const isSecond =
    issue.path[2] === "texts"
      ? !Array.isArray(given)
      : (given as { candidates?: unknown } | null)?.candidates !== undefined;
  const issues = issue.errors[isSecond ? 1 : 0] ?? [];
  return issues.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

function valueAt(path: readonly PropertyKey[], input: unknown): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null)?.[key], input);
}

function shapeProblem(issue: z.core.$ZodIssue, input: unknown): string {
  const place = placeOf(issue.path);
  if (issue.code === "unrecognized_keys")
    return `${place}: unknown key ${issue.keys.map((k) => `"${k}"`).join(", ")}; remove it`;
  if (issue.path.at(-1) === "encoder") {
    const given = valueAt(issue.path, input);
    return `${place}: there is no encoder ${JSON.stringify(given)}; ${suggestion(String(given), Object.keys(encoderFieldTypes))}`;
  }
  return `${place}: ${issue.message}`;
}

/** `collections.films.spaces.plot.field` reads as `collection films, space plot, field`. */
function placeOf(path: readonly PropertyKey[]): string {
  if (path.length < 2) return path.length === 0 ? "the configuration" : String(path[0]);
  const [, collection, part, name, ...rest] = path.map(String);
  const words = [`collection ${collection}`];
  if (part === "spaces" && name !== undefined) words.push(`space ${name}`);
  else if (part === "fields" && name !== undefined) words.push(`field ${name}`);
  else if (part === "texts" && name !== undefined) words.push(`text ${name}`);
  else if (part === "sources" && name !== undefined) words.push(`source ${Number(name) + 1}`);
  else if (part !== undefined) words.push(part, ...(name === undefined ? [] : [name]));
  return [...words, ...rest].join(", ");
}

function checkCollection(name: string, shape: CollectionShape, problems: string[]): Collection {
  if (!namePattern.test(name)) problems.push(`collection ${JSON.stringify(name)}: ${nameRule}`);
  if (reservedCollections.has(name))
    problems.push(`collection ${name}: the name is taken by Medley; choose another`);
  const idKey = shape.id ?? "id";
  const fields = Object.entries(shape.fields).flatMap(([field, type]) =>
    checkField(name, field, type, problems),
  );
  for (const key of [idKey, shape.version]) {
    if (key !== undefined && Object.hasOwn(shape.fields, key) && !reservedFields.has(key)) {
      problems.push(
        `collection ${name}, field ${key}: it is also the key of the id or version; name it once`,
      );
    }
  }
  const spaces = checkSpaces(name, shape, problems);
  if (spaces.length === 0) problems.push(`collection ${name}: it has no space; add one under "spaces"`);
  const sources = (shape.sources ?? []).map((source) => Object.freeze(source as SourceDefinition));
  const target = { fields: shape.fields, versionKey: shape.version ?? null };
  for (const problem of sourcesProblems(sources, target)) problems.push(`collection ${name}, ${problem}`);
  for (const problem of shape.profiles === undefined ? [] : profilesProblems(shape.profiles))
    problems.push(`collection ${name}, profiles, ${problem}`);
  return Object.freeze({
    name,
    idKey,
    versionKey: shape.version ?? null,
    unknownKeys: shape.unknownKeys ?? "reject",
    fields: Object.freeze(fields),
    spaces: Object.freeze(spaces),
    texts: Object.freeze(checkTexts(name, shape, problems)),
    sources: Object.freeze(sources),
    tasks: Object.freeze(checkTasks(name, shape, problems)),
    profiles: shape.profiles === undefined ? null : profilesOf(shape.profiles),
    classes: Object.freeze({}),
    weights: Object.freeze(
      Object.fromEntries(Object.entries(shape.spaces).map(([s, d]) => [s, d.weight ?? 1])),
    ),
  });
}

function checkField(collection: string, name: string, type: string, problems: string[]): Field[] {
  const place = `collection ${collection}, field ${JSON.stringify(name)}`;
  if (!namePattern.test(name)) problems.push(`${place}: ${nameRule}`);
  if (reservedFields.has(name))
    problems.push(`${place}: the name is a column of Medley's own; choose another`);
  const dimensions = vectorDimensions(type);
  if (dimensions !== undefined && dimensions > dimensionsMax) {
    problems.push(
      `${place}: ${dimensions} dimensions; at most ${dimensionsMax} can be indexed, so reduce them first`,
    );
  }
  if (dimensions === undefined && !(fieldTypes as readonly string[]).includes(type)) {
    problems.push(
      `${place}: there is no type ${JSON.stringify(type)}; ${suggestion(type, [...fieldTypes, "vector(n)"])}`,
    );
    return [];
  }
  return [Object.freeze({ name, type: type as FieldType })];
}

function checkTexts(collection: string, shape: CollectionShape, problems: string[]): FullText[] {
  return Object.entries(shape.texts ?? {}).map(([name, definition]) => {
    const place = `collection ${collection}, text ${JSON.stringify(name)}`;
    if (!namePattern.test(name)) problems.push(`${place}: ${nameRule}`);
    if (Object.hasOwn(shape.spaces, name))
      problems.push(`${place}: a space has the name; a score's terms each need their own`);
    for (const problem of fullTextProblems(definition, shape.fields)) problems.push(`${place}: ${problem}`);
    return fullTextOf(name, definition);
  });
}

function checkTasks(collection: string, shape: CollectionShape, problems: string[]): CollectionTask[] {
  return Object.entries(shape.tasks ?? {}).map(([name, definition]) => {
    const place = `collection ${collection}, task ${JSON.stringify(name)}`;
    if (!namePattern.test(name)) problems.push(`${place}: ${nameRule}`);
    for (const problem of taskProblems(definition, shape)) problems.push(`${place}: ${problem}`);
    return taskOf(name, definition);
  });
}

function checkSpaces(collection: string, shape: CollectionShape, problems: string[]): Space[] {
  const entries = Object.entries(shape.spaces).map(([name, space]) => {
    return { name, candidates: "candidates" in space ? space.candidates : [space] };
  });
  const first = Object.fromEntries(entries.map(({ name, candidates }) => [name, candidates[0]]));
  const served = { ...shape, spaces: first as ServedShape["spaces"] };
  const chosen = new Set(entries.filter(({ candidates }) => candidates.length > 1).map(({ name }) => name));
  return entries.map(({ name, candidates }) => {
    const place = `collection ${collection}, space ${JSON.stringify(name)}`;
    if (!namePattern.test(name)) problems.push(`${place}: ${nameRule}`);
    const definitions = candidates as SpaceDefinition[];
    for (const [at, definition] of definitions.entries()) {
      const of = chosen.has(name) ? `${place}, candidate ${at + 1}` : place;
      for (const problem of definitionProblems(name, definition, served)) problems.push(`${of}: ${problem}`);
      for (const feature of featuresOfSpace(definition).filter((one) => chosen.has(one)))
        problems.push(`${of}: features: "${feature}" has candidates; name spaces of one encoder`);
    }
    if (chosen.has(name))
      for (const problem of candidateProblems(definitions)) problems.push(`${place}, ${problem}`);
    return spaceOf(name, definitions[0] as SpaceDefinition, chosen.has(name) ? definitions : []);
  });
}

function* definitionProblems(
  name: string,
  definition: SpaceDefinition,
  shape: ServedShape,
): Generator<string> {
  const readable = encoderFieldTypes[definition.encoder];
  for (const field of [definition.field].flat()) {
    const type = Object.hasOwn(shape.fields, field) ? shape.fields[field] : undefined;
    if (type === undefined) {
      yield `field "${field}" does not exist; ${suggestion(field, Object.keys(shape.fields))}`;
    } else if (!readable.includes(vectorDimensions(type) === undefined ? type : "vector(n)")) {
      const fitting = (Object.keys(encoderFieldTypes) as EncoderName[]).filter((e) =>
        encoderFieldTypes[e].includes(type),
      );
      const mend =
        fitting.length > 0 ? `use encoder "${fitting.join('" or "')}" for it` : "give it another type";
      yield `encoder "${definition.encoder}" reads ${readable.join(" or ")}, but field "${field}" is ${type}; ${mend}`;
    }
  }
  yield* parameterProblems(definition);
  yield* reducedProblems(definition);
  yield* trainedProblems(name, definition, shape);
}

function* parameterProblems(definition: SpaceDefinition): Generator<string> {
  if (definition.encoder === "image" || definition.encoder === "audio") {
    yield* sourceProblems(definition.from ?? {});
  }
  if (definition.encoder === "remote") yield* remoteAddressProblems(definition);
  if (definition.encoder === "number") {
    const [min, max] = definition.range;
    if (min >= max) yield `range [${min}, ${max}] is empty; the first number must be below the second`;
    if (definition.scale === "log" && min <= 0) {
      yield `a log scale needs a range above 0, not [${min}, ${max}]; raise its start or use scale "linear"`;
    }
  }
  if (definition.encoder === "category") {
    const seen = new Set<string>();
    for (const value of definition.values) {
      if (seen.has(value)) yield `category ${JSON.stringify(value)} is listed twice; remove one`;
      seen.add(value);
    }
  }
  if (definition.encoder === "recency" && definition.halfLifeDays !== undefined) {
    if (definition.halfLifeDays > definition.horizonDays) {
      yield `halfLifeDays ${definition.halfLifeDays} is above horizonDays ${definition.horizonDays}; lower it`;
    }
  }
}

function* sourceProblems({ folder, hosts = [] }: ContentSources): Generator<string> {
  if (folder !== undefined && /^[a-z][a-z0-9+.-]+:/i.test(folder)) {
    yield `from.folder ${JSON.stringify(folder)} is an address; it takes a folder, and "from.hosts" takes hosts`;
  }
  if (folder?.includes("\u0000")) yield "from.folder contains U+0000; remove it";
  for (const text of hosts) {
    const pattern = parseHostPattern(text);
    if (!pattern.ok) yield `from.hosts: ${JSON.stringify(text)} ${pattern.failure}`;
  }
}
