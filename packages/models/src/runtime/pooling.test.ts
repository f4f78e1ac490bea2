import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ModelFiles } from "../artefact/files.ts";
import { locateModel } from "../artefact/locate.ts";
import { type FileContent, modelFolder } from "../artefact/model-folder.fixture.ts";
import { readTextModules } from "../artefact/text-modules.ts";
import { Head } from "../text/head.ts";
import { pool, unitVectors } from "./pooling.ts";

interface Case {
  readonly modules: readonly { type: string; config: object; weights?: string }[];
  readonly vectors: readonly number[];
}

/** What sentence-transformers' own modules give; made by infra/reference/text.py. */
const [given, ...cases] = readFileSync(new URL("../text/modules-reference.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line)) as [
  { lengths: number[]; promptTokens: number; hidden: number[] },
  ...Case[],
];
const hiddenSize = 4;
const lengths = Int32Array.from(given.lengths);
const hidden = { values: Float32Array.from(given.hidden), lengths, tokensPadded: 6, hiddenSize };

test.for(
  cases.map(
    (each) => [each.modules.map(({ type, config }) => describe(type, config)).join(", "), each] as const,
  ),
)("as sentence-transformers: %s", async ([, { modules, vectors }]) => {
  const folders = modules.map(({ type }, index) => ({
    type,
    path: `${index + 1}_${type.split(".").at(-1)}`,
  }));
  const transformer = { path: "", type: "sentence_transformers.base.modules.transformer.Transformer" };
  const files: Record<string, FileContent> = { "modules.json": [transformer, ...folders] };
  modules.forEach(({ config, weights }, index) => {
    const { path } = folders[index] as { path: string };
    files[`${path}/config.json`] = config;
    if (weights !== undefined) files[`${path}/model.safetensors`] = Buffer.from(weights, "base64");
  });
  const read = await readTextModules(
    await ModelFiles.open(await locateModel(await modelFolder(files), {})),
    hiddenSize,
  );
  const skipped = Int32Array.from(lengths, () => (read.pooling.includesPrompt ? 0 : given.promptTokens));
  const pooled = pool({ ...hidden, skipped }, read.pooling.modes);
  const head = new Head(read.head, read.pooling.modes.length * hiddenSize);
  const got = unitVectors(head.apply(pooled), read.dimensions);
  expect(got.failed).toEqual([]);
  expect(got.vectors.length).toBe(vectors.length);
  expect(Math.max(...vectors.map((x, index) => Math.abs(x - (got.vectors[index] as number))))).toBeLessThan(
    1e-6,
  );
});

function describe(type: string, config: object): string {
  const { pooling_mode, include_prompt, activation_function } = config as Record<string, unknown>;
  const details = [pooling_mode, include_prompt === false ? "no prompt" : "", activation_function];
  return [type.split(".").at(-1), ...details.filter(Boolean)].join(" ");
}

test("all modules and modes were compared", () => {
  const named = cases
    .map(({ modules }) => modules.map(({ type, config }) => describe(type, config)).join())
    .join();
  for (const word of [
    "cls",
    "max",
    "mean",
    "mean_sqrt_len_tokens",
    "lasttoken",
    "no prompt",
    "Dense",
    "LayerNorm",
  ]) {
    expect(named).toContain(word);
  }
});

// Two texts of 1 and 3 tokens, padded to 3, 2 dimensions. 99 stands in the padding.
const values = Float32Array.of(3, 4, 99, 99, 99, 99, 1, 0, 0, 0, 5, 8);
const padded = { values, lengths: Int32Array.of(1, 3), tokensPadded: 3, hiddenSize: 2 };

test.for(["mean", "max", "mean_sqrt_len_tokens", "cls", "lasttoken"] as const)(
  "%s never reads padding",
  (mode) => {
    expect([...pool(padded, [mode]).subarray(0, 2)]).toEqual([3, 4]);
  },
);

test.for([[Number.NaN], [Number.POSITIVE_INFINITY], [0]])(
  "a row of %s fails, its neighbour does not",
  ([bad]) => {
    const { vectors, failed } = unitVectors(Float64Array.of(bad as number, bad as number, 0, 2), 2);
    expect(failed).toEqual([0]);
    expect([...vectors]).toEqual([0, 0, 0, 1]);
  },
);

test("a text whose tokens are all left out fails", () => {
  const pooled = pool({ ...padded, skipped: Int32Array.of(1, 1) }, ["max", "mean"]);
  expect(unitVectors(pooled, 4).failed).toEqual([0]);
});
