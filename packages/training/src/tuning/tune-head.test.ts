import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ContentReader, type ModelSpaceDefinition, openModelRuntime, readClassifier } from "@medley/models";
import { expect, onTestFinished, test } from "vitest";
import { checkTunedServed } from "../artefact/check-served.ts";
import { writeArtefact } from "../artefact/write-artefact.ts";
import type { ReferenceVectors } from "../trained-model.ts";
import { tuneHead } from "./tune-head.ts";

const examples = join(import.meta.dirname, "../../../../examples");

interface Example {
  readonly [field: string]: string;
}

/** Rows of an example's file by their class, `perClass` of each, those of a class parted into 2 : 1 : 1. */
async function parts(options: {
  file: string;
  value: string;
  target: string;
  classes: number;
  perClass: number;
}) {
  const { file, value, target } = options;
  const lines = (await readFile(join(examples, file), "utf8")).trim().split("\n");
  const rows = Map.groupBy(
    lines.map((line) => JSON.parse(line) as Example),
    (row) => row[target] as string,
  );
  const classes = [...rows.keys()].sort().slice(0, options.classes);
  const part = (from: number, to: number) => {
    const chosen = classes.flatMap((name, label) =>
      (rows.get(name) as Example[])
        .slice(0, options.perClass)
        .slice(from * options.perClass, to * options.perClass)
        .map((row) => ({ value: row[value] as string, label })),
    );
    return { values: chosen.map((one) => one.value), labels: chosen.map(({ label }) => label) };
  };
  return { classes, train: part(0, 0.5), validation: part(0.5, 0.75), test: part(0.75, 1) };
}

test.each([
  {
    ...({ kind: "image", model: "thin-resnet-50", folder: "products/photos", target: "category" } as const),
    of: { file: "products/products.jsonl", value: "photo", target: "category", classes: 4, perClass: 12 },
    accuracyMin: 0.75,
  },
  {
    ...({ kind: "audio", model: "ge2e-voice", folder: "sounds/clips", target: "speaker" } as const),
    of: { file: "sounds/sounds.jsonl", value: "clip", target: "speaker", classes: 6, perClass: 6 },
    accuracyMin: 0.75,
  },
])("a head on a frozen $kind model tells a $target", { timeout: 300_000 }, async (given) => {
  const { kind, model, target } = given;
  const { classes, train, validation, test: held } = await parts(given.of);
  await using content = new ContentReader({ folder: join(examples, given.folder), hosts: [] });
  await using runtime = openModelRuntime({ environment: {}, threads: 1 });
  const encoder =
    kind === "image"
      ? await runtime.imageEncoder(model, { content })
      : await runtime.audioEncoder(model, { content });
  const tuned = await tuneHead({
    ...{ encoder: encoder as never, model, kind, environment: {}, target, classes },
    ...{ train, validation, test: held },
  });
  expect(tuned.test?.accuracy).toBeGreaterThanOrEqual(given.accuracyMin);
  expect(tuned.manifest).toMatchObject({ kind, blocks: 0, target });

  const root = await mkdtemp(join(tmpdir(), "medley-tuned-"));
  onTestFinished(() => rm(root, { recursive: true }));
  const space = "things.likeness";
  const directory = join(root, "models", space, "run-1");
  const artefact = await writeArtefact({ directory, run: "run-1", model: tuned, card: "# a card" });
  const reference = tuned.reference as ReferenceVectors;
  expect(reference.values).toEqual(validation.values.slice(0, 32));
  const from = { folder: join(examples, given.folder) };
  const definition = { encoder: kind, field: "it", model, from } as ModelSpaceDefinition;
  const lockFile = join(root, "medley.lock.json");
  const check = (of: ReferenceVectors) => checkTunedServed(of, { definition, space, lockFile, artefact });
  expect(await check(reference)).toBeLessThan(1e-6);
  const other = reference.vectors.map((x, at) => (at === 3 ? x + 2e-5 : x));
  await expect(check({ ...reference, vectors: other })).rejects.toMatchObject({
    code: "model_unsupported",
    message: expect.stringContaining("not served as it was trained"),
  });

  const served =
    kind === "image"
      ? await runtime.imageEncoder(directory, { content })
      : await runtime.audioEncoder(directory, { content });
  const { dimensions } = served;
  const classifier = await readClassifier(directory, {}, { kind, dimensions });
  const first = (await served.encode(held.values.slice(0, 4) as never)).map((result) =>
    result.ok ? classifier?.classify(result.value)?.label : result.failure,
  );
  const hits = first.map((label, at) => (label === classes[held.labels[at] as number] ? 1 : 0));
  expect(hits).toEqual([...(tuned.test?.hits ?? [])].slice(0, 4));
});
