import { type Collection, checkConfig, isTrainedSpace, type MedleyError, type Space } from "@medley/core";
import { expect, test } from "vitest";
import { encodeValues } from "../encode-values.ts";
import type { SeriesKind } from "../series/forecaster.ts";
import { epochsSetting, parseSettings } from "./settings.ts";
import type { Trainer, TrainingRecord } from "./trainer.ts";
import { trainerOf } from "./trainers.ts";

const fields = {
  abstract: "text",
  title: "text",
  cites: "edges",
  year: "number",
  at: "timestamp",
  photo: "image",
  topic: "category",
};
const [papers] = checkConfig({
  collections: {
    papers: {
      fields,
      spaces: {
        words: { encoder: "words", field: ["title", "abstract"], dimensions: 2, ngrams: [1, 1] },
        walks: { encoder: "node2vec", field: "cites", dimensions: 4, directed: true, p: 2 },
        year: { encoder: "number", field: "year", range: [0, 1] },
        meaning: { encoder: "text", field: "abstract" },
        photo: {
          encoder: "image",
          field: "photo",
          model: "thin-resnet-50",
          tuned: { target: "topic", blocks: 0 },
        },
        deep: {
          encoder: "image",
          field: "photo",
          model: "thin-resnet-50",
          tuned: { target: "topic", blocks: 2 },
        },
        at: { encoder: "time2vec", field: "at", dimensions: 4, target: "year" },
      },
    },
  },
}) as [Collection];

const spaceOf = (name: string) => papers.spaces.find((space) => space.name === name) as Space;
const trainer = (name: string) => trainerOf(spaceOf(name), `papers.${name}`);

async function* recordsOf(...given: (Partial<TrainingRecord["fields"]> & { id: string })[]) {
  const missing = Object.fromEntries(Object.keys(fields).map((name) => [name, null]));
  for (const { id, ...values } of given) yield { id, fields: { ...missing, ...values } } as TrainingRecord;
}

function failureOf(act: () => unknown): MedleyError {
  try {
    act();
  } catch (error) {
    return error as MedleyError;
  }
  throw new Error("nothing was thrown");
}

test("a closed form is not trained, and a pre-trained model only where it says what on", () => {
  expect(failureOf(() => trainer("year"))).toMatchObject({
    code: "usage",
    message: expect.stringContaining('"number" is not trained'),
  });
  expect(failureOf(() => trainer("meaning"))).toMatchObject({
    code: "usage",
    mend: expect.stringContaining("tuned"),
  });
  expect(trainer("photo").resumes).toBe(true);
  expect(failureOf(() => trainer("deep"))).toMatchObject({
    code: "training_unsupported",
    message: expect.stringContaining("it asks for 2"),
    mend: expect.stringContaining("tuned.blocks to 0"),
  });
  for (const space of papers.spaces.filter(({ definition }) => isTrainedSpace(definition)))
    expect(trainer(space.name).train).toBeTypeOf("function");
});

function forecaster(encoder: SeriesKind): Trainer {
  const definition = { encoder, field: "readings", dimensions: 4, lookback: 8 };
  const space = { name: "course", definition: definition as never, candidates: [], fields: ["readings"] };
  return trainerOf(space, "meters.course");
}

test("a forecaster that is solved has no settings of steps", () => {
  for (const kind of ["dlinear", "nlinear"] as const) {
    const { settings, resumes } = forecaster(kind);
    expect(failureOf(() => parseSettings(settings, ["learningRate=.01"])).message).toContain("learningRate");
    expect(parseSettings(settings, ["centred=true"])).toEqual({ centred: true });
    expect(resumes).toBe(false);
  }
  expect(parseSettings(forecaster("informer").settings, ["learningRate=.01"])).toEqual({
    learningRate: 0.01,
  });
});

test("a series of other channels than the first is named by its record", async () => {
  const space = { name: "course", fields: ["readings"], candidates: [] };
  const definition = { encoder: "nlinear", field: "readings", dimensions: 4, lookback: 8 };
  const series = (channels: number) => ({
    times: null,
    values: Array.from({ length: 60 }, (_, step) => new Array<number>(channels).fill(step)),
  });
  const records = async function* () {
    for (const [id, channels] of Object.entries({ north: 1, south: 1, west: 2 }))
      yield { id, fields: { readings: series(channels) } } as unknown as TrainingRecord;
  };
  const options = { space: { ...space, definition } as never, settings: {}, seed: 1, threads: 1 };
  await expect(forecaster("nlinear").train(records(), options)).rejects.toMatchObject({
    code: "training_data_invalid",
    message: 'series of record "west" has readings that are not of 1 channels',
  });
});

test("epochs are set by the name that the trainer has for them", () => {
  const parsed = ({ settings }: Trainer) => parseSettings(settings, [epochsSetting(settings, 3)]);
  for (const kind of ["autoformer", "informer"] as const)
    expect(parsed(forecaster(kind))).toEqual({ epochsMax: 3 });
  const definition = { encoder: "text", field: "abstract", tuned: { target: "topic" } } as const;
  const tuned = { name: "meaning", definition, candidates: [], fields: ["abstract"] };
  expect(parsed(trainerOf(tuned as never, "papers.meaning"))).toEqual({ epochs: 3 });
  expect(failureOf(() => parsed(forecaster("nlinear")))).toMatchObject({
    code: "usage",
    message: 'there is no setting "epochs"',
  });
});

test("settings are read by their type and range", () => {
  const walks = trainer("walks");
  expect(parseSettings(walks.settings, ["window=3", "rate=.5", "tied=false", "negativesBy=degree"])).toEqual({
    window: 3,
    rate: 0.5,
    tied: false,
    negativesBy: "degree",
  });
  for (const [given, message] of [
    ["window", "is no setting"],
    ["=3", "is no setting"],
    ["windw=3", 'no setting "windw"'],
    ["constructor=3", 'no setting "constructor"'],
    ["window=", "a whole number from 1 to 100"],
    ["window=2.5", "a whole number from 1 to 100"],
    ["rate=1e9", "a number from"],
    ["rate=x", "a number from"],
    ["tied=yes", "true or false"],
    ["negativesBy=size", "one of uniform, degree"],
  ] as const) {
    const failure = failureOf(() => parseSettings(walks.settings, [given]));
    expect(failure).toMatchObject({ code: "usage", message: expect.stringContaining(message) });
  }
  expect(failureOf(() => parseSettings(walks.settings, ["windw=3"])).mend).toContain('"window"');
});

test("words are trained on the space's texts, joined as the worker joins them; records without are left out", async () => {
  const texts = ["heat plasma", "heat plasma field", "walks graph", "walks graph node"];
  const records = texts.map((abstract, n) => ({ id: `${n}`, title: n % 2 === 0 ? "about" : null, abstract }));
  const model = await trainer("words").train(recordsOf(...records, { id: "none" }), {
    space: spaceOf("words"),
    settings: { termTextsMin: 1 },
    seed: 1,
  });
  expect(model.manifest).toMatchObject({ kind: "words", dimensions: 2, ngrams: [1, 1] });
  expect(model.metrics["train/texts"]).toBe(4);
  const { values } = await encodeValues(model, ["about\nheat", "plasma heat", "walks", "nothing known"]);
  const dot = (a: number, b: number) =>
    [0, 1].reduce((sum, d) => sum + (values[2 * a + d] as number) * (values[2 * b + d] as number), 0);
  expect(dot(0, 1)).toBeGreaterThan(0.8);
  expect(dot(1, 2)).toBeLessThan(0.5);
  expect([...values.subarray(6)]).toEqual([0, 0]);
});

test("a graph is trained on the edges of records, as the space says", async () => {
  const records = Array.from({ length: 8 }, (_, n) => ({ id: `p${n}`, cites: { [`p${(n + 1) % 8}`]: 1 } }));
  const model = await trainer("walks").train(recordsOf(...records, { id: "none" }), {
    space: spaceOf("walks"),
    settings: { walksPerNode: 2 },
    seed: 1,
  });
  expect(model.manifest).toMatchObject({ kind: "node2vec", dimensions: 4, directed: true, p: 2 });
  expect(model.metrics["data/edges"]).toBe(8);
});
