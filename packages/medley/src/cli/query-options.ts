import { readFileSync } from "node:fs";
import { MedleyError, type SearchQuery, suggestion } from "@medley/core";
import type { CollectionEncoders } from "@medley/pipeline";

/** Options that mean what they are called in a query, and are passed on. */
const passed = [
  ...(["class", "for", "excludeSeen", "k", "recall"] as const),
  ...(["scoreMin", "diversity", "perGroup", "after"] as const),
];

export interface SearchArguments extends Pick<SearchQuery, (typeof passed)[number]> {
  readonly weight: readonly string[];
  readonly text: readonly string[];
  readonly like: readonly string[];
  readonly unlike: readonly string[];
  readonly filter?: string;
  /** What stood after the options that every collection has: `--plot "…" --genres Comedy`. */
  readonly parts: readonly string[];
}

/** Reads the command line of `medley search` into a query. Throws `usage` with the mend. */
export function searchQueryOf(opened: CollectionEncoders, given: SearchArguments): SearchQuery {
  const { weight, text, like, unlike, filter, parts } = given;
  return {
    parts: partsOf(opened, parts),
    ...(weight.length === 0 ? {} : { weights: weightsOf(weight) }),
    ...(text.length === 0 ? {} : { texts: textsOf(opened, text) }),
    ...(like.length === 0 ? {} : { like }),
    ...(unlike.length === 0 ? {} : { unlike }),
    ...(filter === undefined ? {} : { filter: jsonOf("--filter", filter) as Record<string, unknown> }),
    ...asGiven(given, passed),
  };
}

function asGiven<Key extends keyof SearchArguments & keyof SearchQuery>(
  given: SearchArguments,
  keys: readonly Key[],
): Pick<SearchQuery, Key> {
  const said = keys.filter((key) => given[key] !== undefined).map((key) => [key, given[key]]);
  return Object.fromEntries(said) as Pick<SearchQuery, Key>;
}

/** Of `--weight SPACE=NUMBER`. Throws `usage`. */
export function weightsOf(texts: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(texts.map(weightOf));
}

function weightOf(text: string): [string, number] {
  const [, space, value] = /^([a-z][a-z0-9_]*)=(-?[\d.]+)$/.exec(text) ?? [];
  if (space !== undefined && value !== undefined && Number.isFinite(Number(value)))
    return [space, Number(value)];
  throw new MedleyError("usage", `--weight ${JSON.stringify(text)} is no weight`, {
    mend: "write it as --weight plot=2",
  });
}

/** Of `--text NAME=WORDS`. Throws `usage`. */
function textsOf({ collection }: CollectionEncoders, given: readonly string[]): Record<string, string> {
  const names = collection.texts.map(({ name }) => name);
  const texts = given.map((text) => {
    const [, name, words] = /^([a-z][a-z0-9_]*)=(.+)$/s.exec(text) ?? [];
    if (name !== undefined && words !== undefined && names.includes(name)) return [name, words] as const;
    const known =
      names.length === 0 ? 'add one under "texts" of the configuration' : suggestion(name ?? "", names);
    throw new MedleyError("usage", `--text ${JSON.stringify(text)} names no text of "${collection.name}"`, {
      mend: name === undefined ? `write it as --text ${names[0] ?? "words"}="bank heist"` : known,
    });
  });
  return Object.fromEntries(texts);
}

/** `--space value` pairs; a space given several times is a list (`--genres Comedy --genres Drama`). */
function partsOf(opened: CollectionEncoders, words: readonly string[]): Record<string, unknown> {
  const names = opened.collection.spaces.map((space) => space.name);
  const given = new Map<string, string[]>();
  for (let at = 0; at < words.length; at += 1) {
    const [, name, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(words[at] as string) ?? [];
    if (name === undefined) {
      throw new MedleyError("usage", `${JSON.stringify(words[at])} belongs to no option`, {
        mend: `put it behind --${names[0]}`,
      });
    }
    if (!names.includes(name)) {
      throw new MedleyError("usage", `there is no option or space --${name}`, {
        mend: suggestion(name, names),
      });
    }
    const value = inline ?? words[++at];
    if (value === undefined) throw new MedleyError("usage", `--${name} needs a value`);
    given.set(name, [...(given.get(name) ?? []), value]);
  }
  return Object.fromEntries([...given].map(([name, values]) => [name, partOf(opened, name, values)]));
}

function partOf(opened: CollectionEncoders, name: string, values: readonly string[]): unknown {
  const space = opened.collection.spaces.find((candidate) => candidate.name === name);
  const [first] = values as [string];
  switch (space?.definition.encoder) {
    case "text":
    case "remote":
    case "words":
      return values.join("\n");
    case "image":
    case "audio":
      return contentPart(`--${name}`, first);
    case "category":
      return first.startsWith("{") ? jsonOf(`--${name}`, first) : values;
    case "entity":
      return values;
    case "node2vec":
    case "graphsage":
      return first.startsWith("{") ? jsonOf(`--${name}`, first) : first;
    case "time2vec":
      return /^-?\d{5,}$/.test(first) ? Number(first) : first;
    case "number":
      return /^[+-]?[\d.]+([eE][+-]?\d+)?$/.test(first) ? Number(first) : first;
    default:
      return jsonOf(`--${name}`, first);
  }
}

/** A file of this machine goes along as bytes; an address is left to the encoder, which may refuse it. */
function contentPart(option: string, text: string): unknown {
  if (/^https?:/i.test(text)) return { url: text };
  try {
    return { base64: readFileSync(text).toString("base64") };
  } catch (cause) {
    throw new MedleyError("usage", `${option} ${text} can't be read`, {
      mend: "give the path of a file, or an http or https address",
      cause,
    });
  }
}

function jsonOf(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MedleyError("usage", `${option} ${JSON.stringify(text)} is not JSON`, {
      mend: `quote it for the shell, such as ${option} '{"halfLifeDays": 90}'`,
    });
  }
}
