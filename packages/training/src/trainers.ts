import {
  isTrainedSpace,
  MedleyError,
  type NodeInput,
  type RecordFields,
  type Space,
  spaceInput,
  suggestion,
} from "@medley/core";
import type { Device } from "@medley/models";
import type { Edge } from "./graph/adjacency.ts";
import { trainNode2Vec } from "./graph/node2vec.ts";
import type { TrainingOptions } from "./progress.ts";
import type { TrainedModel } from "./trained-model.ts";
import { trainWords } from "./words/train-words.ts";

/** A record as trainers see it: checked, with every field of its collection. */
export interface TrainingRecord {
  readonly id: string;
  readonly fields: RecordFields;
  /** Of a space that names features: the record's segments of those spaces, end to end. */
  readonly features?: Float32Array;
}

export type SettingValue = number | string | boolean;

/** What `--set NAME=VALUE` may say. */
export type Setting =
  | { readonly type: "integer" | "number"; readonly min: number; readonly max: number }
  | { readonly type: "boolean" }
  | { readonly type: "choice"; readonly values: readonly string[] };

export interface TrainerOptions extends TrainingOptions {
  readonly space: Space;
  /** Of the trainer's own; those left out have its defaults. */
  readonly settings: Readonly<Record<string, SettingValue>>;
  /** Default `cpu`. */
  readonly device?: Device;
  /** Where a trainer that `resumes` keeps its checkpoints; it goes on from the newest that is there. */
  readonly checkpoints?: string;
}

export interface Trainer {
  readonly settings: Readonly<Record<string, Setting>>;
  /** Whether a training that was ended can go on from its checkpoints. */
  readonly resumes: boolean;
  train(records: AsyncIterable<TrainingRecord>, options: TrainerOptions): Promise<TrainedModel>;
}

const integer = (min: number, max: number): Setting => ({ type: "integer", min, max });
const number = (min: number, max: number): Setting => ({ type: "number", min, max });

/** By the encoder's name in the configuration. */
const trainers: Partial<Record<Space["definition"]["encoder"], Trainer>> = {
  node2vec: {
    settings: {
      walkLength: integer(2, 1_000),
      walksPerNode: integer(1, 1_000),
      window: integer(1, 100),
      negatives: integer(1, 100),
      negativesBy: { type: "choice", values: ["uniform", "degree"] },
      tied: { type: "boolean" },
      rate: number(1e-6, 10),
    },
    resumes: false,
    train: (records, { space, settings, ...options }) => {
      const { dimensions, directed, p, q } = definitionOf(space, "node2vec");
      const given = withoutUndefined({ dimensions, directed, p, q });
      return trainNode2Vec(edgesOf(records, space), { ...options, ...given, ...settings });
    },
  },
  words: {
    settings: { termTextsMin: integer(1, 1_000_000), textsMax: integer(1, 10_000_000) },
    resumes: false,
    train: (records, { space, settings, ...options }) => {
      const { dimensions, ngrams, vocabularyMax } = definitionOf(space, "words");
      const given = withoutUndefined({ dimensions, ngrams, vocabularyMax });
      return trainWords(inputsOf<string>(records, space), { ...options, ...given, ...settings });
    },
  },
};

/**
 * The trainer of a space. Throws `usage` for a space whose encoder is not trained, `training_unsupported` for one that this
 * version has no trainer for.
 */
export function trainerOf(space: Space, place: string): Trainer {
  const { definition } = space;
  const trainer = trainers[definition.encoder];
  const isTuned = "tuned" in definition && definition.tuned !== undefined;
  if (trainer !== undefined && (isTuned || isTrainedSpace(definition))) return trainer;
  if (closedForms.includes(definition.encoder)) {
    throw new MedleyError("usage", `space ${place}: encoder "${definition.encoder}" is not trained`, {
      mend: "it serves as it is configured; `medley config` shows which spaces there are",
    });
  }
  if (preTrained.includes(definition.encoder) && !isTuned) {
    throw new MedleyError(
      "usage",
      `space ${place}: its model is pre-trained, and the space does not say what to tune it on`,
      {
        mend: 'add tuned: { target: "…" }, a category field, to the space',
      },
    );
  }
  throw new MedleyError(
    "training_unsupported",
    `space ${place}: this version has no trainer for encoder "${definition.encoder}"`,
    {
      mend: `it trains ${Object.keys(trainers).join(", ")}; update Medley for the others`,
    },
  );
}

const closedForms: readonly string[] = ["number", "category", "recency", "geo", "vector", "remote"];
const preTrained: readonly string[] = ["text", "image", "audio"];

/** Reads `NAME=VALUE` settings. Throws `usage` with the mend. */
export function parseSettings(
  trainer: Trainer,
  given: readonly string[],
): Readonly<Record<string, SettingValue>> {
  const read: Record<string, SettingValue> = {};
  for (const text of given) {
    const at = text.indexOf("=");
    const [name, value] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
    const setting = Object.hasOwn(trainer.settings, name) ? trainer.settings[name] : undefined;
    const known = Object.keys(trainer.settings);
    if (at < 1) {
      throw new MedleyError("usage", `--set ${JSON.stringify(text)} is no setting`, {
        mend: `write it as --set NAME=VALUE; there are ${known.join(", ")}`,
      });
    }
    if (setting === undefined) {
      throw new MedleyError("usage", `there is no setting "${name}"`, { mend: suggestion(name, known) });
    }
    const parsed = settingValue(setting, value);
    if (parsed === undefined) {
      throw new MedleyError("usage", `--set ${name}=${value}: it must be ${formOf(setting)}`);
    }
    read[name] = parsed;
  }
  return read;
}

function settingValue(setting: Setting, text: string): SettingValue | undefined {
  if (setting.type === "boolean") return text === "true" ? true : text === "false" ? false : undefined;
  if (setting.type === "choice") return setting.values.includes(text) ? text : undefined;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  const fits = setting.type === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value);
  return fits && value >= setting.min && value <= setting.max ? value : undefined;
}

function formOf(setting: Setting): string {
  if (setting.type === "boolean") return "true or false";
  if (setting.type === "choice") return `one of ${setting.values.join(", ")}`;
  return `${setting.type === "integer" ? "a whole number" : "a number"} from ${setting.min} to ${setting.max}`;
}

/** What the space's encoder reads of each record that has it. */
async function* inputsOf<Input>(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
): AsyncGenerator<Input, void, void> {
  for await (const record of records) {
    const input = spaceInput(space, record);
    if (input !== null) yield input as Input;
  }
}

async function* edgesOf(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
): AsyncGenerator<Edge, void, void> {
  for await (const { id, edges } of inputsOf<NodeInput>(records, space)) {
    for (const [to, weight] of Object.entries(edges)) yield { from: id, to, weight };
  }
}

function definitionOf<Name extends Space["definition"]["encoder"]>(
  { definition }: Space,
  encoder: Name,
): Extract<Space["definition"], { encoder: Name }> {
  if (definition.encoder !== encoder) throw new TypeError(`a space of encoder ${encoder}`);
  return definition as Extract<Space["definition"], { encoder: Name }>;
}

/** So that an option that is not configured has the trainer's default. */
function withoutUndefined<Options extends object>(
  options: Options,
): { [Name in keyof Options]: Exclude<Options[Name], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
