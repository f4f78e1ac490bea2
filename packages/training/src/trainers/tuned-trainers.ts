import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Space, spaceInput } from "@medley/core";
import { defaultTextModel, openModelRuntime, openSpaceEncoder } from "@medley/models";
import type { TrainedModel } from "../trained-model.ts";
import type { LabelledExample } from "../tuning/labelled-examples.ts";
import { tuneHeadRecords } from "../tuning/tune-head-records.ts";
import { tuneTextRecords } from "../tuning/tune-text-records.ts";
import { integer, number } from "./settings.ts";
import { definitionOf, withoutUndefined } from "./space-records.ts";
import type { Trainer, TrainerOptions, TrainingRecord } from "./trainer.ts";

const text: Trainer = {
  settings: {
    learningRate: number(1e-7, 1),
    batchRows: integer(2, 4_096),
    weightDecay: number(0, 1),
    epochs: integer(1, 1_000),
    dropout: number(0, 0.99),
    tokensMax: integer(8, 8_192),
    tokensKept: integer(8, 8_192),
    balances: { type: "boolean" },
    examplesMax: integer(40, 10_000_000),
  },
  resumes: true,
  train: (records, { space, settings, models, ...options }) => {
    const { model = defaultTextModel, tuned } = definitionOf(space, "text");
    const { target, blocks } = tuned as NonNullable<typeof tuned>;
    const given = { ...withoutUndefined({ model, blocks }), target };
    const found = { environment: {}, ...models };
    return withRows(options, (rows) =>
      tuneTextRecords(labelledTexts(records, space, target), {
        ...{ ...options, ...rows, ...found, ...given, ...settings },
      }),
    );
  },
};

/** A classifier of pictures or clips, on the model as it is. */
const content: Trainer = {
  settings: { examplesMax: integer(40, 1_000_000) },
  resumes: true,
  train: async (records, { space, settings, models, threads, device, ...options }) => {
    const definition = definitionOf(space, space.definition.encoder as "image" | "audio");
    const { encoder: kind, model, tuned } = definition;
    const { target } = tuned as NonNullable<typeof tuned>;
    const found = { environment: {}, ...models };
    await using resources = new AsyncDisposableStack();
    const runtime = resources.use(openModelRuntime({ ...found, ...withoutUndefined({ threads, device }) }));
    const encoder = await openSpaceEncoder(definition, { runtime, resources });
    return await withRows(options, (rows) =>
      tuneHeadRecords(labelledExamples(records, space, target), {
        ...{ ...options, ...rows, ...found, ...settings, encoder, kind, model, target },
      }),
    );
  },
};

/** Of pre-trained models, by the encoder's name in the configuration. */
export const tunedTrainers = { audio: content, image: content, text } satisfies Record<string, Trainer>;

/**
 * Trains with a folder among the checkpoints for what the frozen model computes, which is large: once the training is done,
 * and not just ended, there is no more use for it.
 */
async function withRows(
  { checkpoints, signal }: Pick<TrainerOptions, "checkpoints" | "signal">,
  train: (rows: { readonly cacheDirectory?: string }) => Promise<TrainedModel>,
): Promise<TrainedModel> {
  if (checkpoints === undefined) return train({});
  const cacheDirectory = join(checkpoints, "rows");
  const model = await train({ cacheDirectory });
  if (!signal?.aborted) await rm(cacheDirectory, { recursive: true, force: true });
  return model;
}

async function* labelledExamples(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
  target: string,
): AsyncGenerator<LabelledExample, void, void> {
  for await (const record of records) {
    const value = spaceInput(space, record) as string | null;
    const label = (record.fields[target] ?? null) as string | null;
    if (value !== null) yield { id: record.id, value, label };
  }
}

async function* labelledTexts(
  records: AsyncIterable<TrainingRecord>,
  space: Space,
  target: string,
): AsyncGenerator<LabelledExample, void, void> {
  for await (const example of labelledExamples(records, space, target)) {
    if (example.value.trim() !== "") yield example;
  }
}
