import { isTrainedSpace, isTunedSpace, MedleyError, projectionOf, type Space } from "@medley/core";
import type { EntityValue } from "@medley/models";
import { trainEntityFromCoOccurrence } from "../category/train-from-co-occurrence.ts";
import { type EntityExample, trainEntityFromTarget } from "../category/train-from-target.ts";
import { trainGraphSage } from "../graph/graphsage.ts";
import { trainNode2Vec } from "../graph/node2vec.ts";
import { fitProjection } from "../projection/fit-projection.ts";
import { type SeriesKind, seriesKinds } from "../series/forecaster.ts";
import { trainSeries } from "../series/train-series.ts";
import { type TimeExample, trainTime2Vec } from "../time/train-time2vec.ts";
import { trainWords } from "../words/train-words.ts";
import { integer, number } from "./settings.ts";
import {
  definitionOf,
  edgesOf,
  examplesOf,
  featuresOf,
  inputsOf,
  nodesOf,
  seriesOf,
  withoutUndefined,
} from "./space-records.ts";
import type { Trainer, TrainingRecord } from "./trainer.ts";
import { tunedTrainers } from "./tuned-trainers.ts";

const seriesSettings: Trainer["settings"] = {
  centred: { type: "boolean" },
  stride: integer(1, 100_000),
  stepMs: integer(1, 366 * 24 * 3_600_000),
  missingShareMax: number(0, 1),
  seriesMax: integer(2, 1_000_000),
};

/** Of the moving average that parts a trend from the rest. */
const kernel = integer(1, 1_023);

/** Of forecasters that are learned by steps. */
const steppedSettings: Trainer["settings"] = {
  ...seriesSettings,
  width: integer(1, 4_096),
  hiddenWidth: integer(1, 16_384),
  heads: integer(1, 64),
  encoderLayers: integer(1, 12),
  decoderLayers: integer(1, 12),
  factor: integer(1, 100),
  labelSteps: integer(0, 4_096),
  dropout: number(0, 0.9),
  calendar: { type: "boolean" },
  batchWindows: integer(1, 4_096),
  learningRate: number(1e-7, 1),
  epochsMax: integer(1, 1_000),
  patience: integer(1, 1_000),
};

/** One that `resumes` is learned by steps; the others are solved in one pass. */
function series(settings: Trainer["settings"], { resumes }: Pick<Trainer, "resumes">): Trainer {
  return {
    settings,
    resumes,
    train: (records, { space, settings: chosen, checkpoints, ...options }) => {
      const { definition } = space;
      if (!isSeriesSpace(definition)) throw new TypeError("a space of series");
      const { encoder: kind, dimensions, lookback, horizon } = definition;
      const given = withoutUndefined({ kind, dimensions, lookback, horizon });
      const kept = withoutUndefined({ checkpoints });
      return trainSeries(seriesOf(records, space), { ...options, ...given, ...chosen, ...kept });
    },
  };
}

/** Of every encoder whose segments are reduced; they come as the records' features. */
const projection: Trainer = {
  settings: {},
  resumes: false,
  train: (records, { space, featuresEncoder, ...options }) => {
    const projected = projectionOf(space.definition);
    if (projected === undefined || featuresEncoder === undefined)
      throw new TypeError("a space that is reduced");
    const { to: dimensions, by } = projected;
    return fitProjection(featuresOf(records), { ...options, by, dimensions, encoder: featuresEncoder });
  },
};

/** By the encoder's name in the configuration. */
const trainers: Partial<Record<Space["definition"]["encoder"], Trainer>> = {
  autoformer: series({ ...steppedSettings, kernel }, { resumes: true }),
  dlinear: series({ ...seriesSettings, kernel }, { resumes: false }),
  informer: series(steppedSettings, { resumes: true }),
  nlinear: series(seriesSettings, { resumes: false }),
  entity: {
    settings: {
      vocabularyMax: integer(1, 1_000_000),
      categoryRecordsMin: integer(1, 1_000_000),
      buckets: integer(0, 1_000_000),
      recordsMax: integer(20, 10_000_000),
    },
    resumes: false,
    train: (records, { space, settings, ...options }) => {
      const { dimensions, target } = definitionOf(space, "entity");
      const given = { ...options, dimensions, ...settings };
      if (target === undefined)
        return trainEntityFromCoOccurrence(inputsOf<EntityValue>(records, space), given);
      return trainEntityFromTarget(entityExamples(records, space, target), { ...given, name: target });
    },
  },
  graphsage: {
    settings: {
      hidden: integer(1, 4_096),
      epochs: integer(1, 10_000),
      batchRows: integer(1, 65_536),
      dropout: number(0, 0.99),
      learningRate: number(1e-6, 1),
      weightDecay: number(0, 1),
      negatives: integer(1, 4_096),
    },
    resumes: true,
    train: (records, { space, settings, ...options }) => {
      const { dimensions, aggregator, target } = definitionOf(space, "graphsage");
      const given = withoutUndefined({ dimensions, aggregator, target });
      return trainGraphSage(nodesOf(records, space, target), { ...options, ...given, ...settings });
    },
  },
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
  ...tunedTrainers,
  time2vec: {
    settings: { periodHoursMin: number(0.01, 8_760), examplesMax: integer(20, 10_000_000) },
    resumes: false,
    train: (records, { space, settings, ...options }) => {
      const { dimensions, target } = definitionOf(space, "time2vec");
      return trainTime2Vec(timeExamples(records, space, target), {
        ...options,
        dimensions,
        name: target,
        ...settings,
      });
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
  if (projectionOf(definition) !== undefined) return projection;
  const trainer = trainers[definition.encoder];
  const isTuned = isTunedSpace(definition);
  checkBlocks(definition, place);
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

/** Before any record is read. */
function checkBlocks(definition: Space["definition"], place: string): void {
  if (definition.encoder !== "image" && definition.encoder !== "audio") return;
  const { tuned: { blocks = 0 } = {} } = definition;
  if (blocks === 0) return;
  throw new MedleyError(
    "training_unsupported",
    `space ${place}: blocks of ${definition.encoder} models are not trained by this version, and it asks for ${blocks}`,
    { mend: "set tuned.blocks to 0, or leave it out: a classifier on the model as it is" },
  );
}

const closedForms: readonly string[] = ["number", "category", "recency", "geo", "vector", "remote"];
const preTrained: readonly string[] = ["text", "image", "audio"];

async function* entityExamples(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
  of: string,
): AsyncGenerator<EntityExample, void, void> {
  for await (const { input, target } of examplesOf<EntityValue>(records, space, of))
    yield { value: input, target };
}

async function* timeExamples(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
  of: string,
): AsyncGenerator<TimeExample, void, void> {
  for await (const { input, target } of examplesOf<number>(records, space, of))
    yield { timeMs: input, target };
}

function isSeriesSpace(
  definition: Space["definition"],
): definition is Extract<Space["definition"], { encoder: SeriesKind }> {
  return (seriesKinds as readonly string[]).includes(definition.encoder);
}
