import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "@medley/core";
import { decodeOnnx } from "@medley/models/onnx";
import { expect, onTestFinished, test } from "vitest";
import { checkServed } from "../artefact/check-served.ts";
import { writeArtefact } from "../artefact/write-artefact.ts";
import { encodeValues } from "../encode-values.ts";
import { gramOf } from "../linear-algebra/matrix.ts";
import type { TrainedModel } from "../trained-model.ts";
import { fitProjection, type ProjectionOptions } from "./fit-projection.ts";

async function* each(vectors: readonly Float32Array[]): AsyncGenerator<Float32Array, void, void> {
  yield* vectors;
}

function fitted(vectors: readonly Float32Array[], options: Partial<ProjectionOptions> = {}) {
  return fitProjection(each(vectors), { by: "pca", dimensions: 2, encoder: "e", seed: 1, ...options });
}

/** Longer along the first dimensions than along the last. */
function vectorsOf(count: number, dimensions: number): Float32Array[] {
  const random = new Random(5);
  return Array.from({ length: count }, () =>
    Float32Array.from({ length: dimensions }, (_, at) => random.normal() / (at + 1)),
  );
}

/** [from, to]. */
function axesOf(model: TrainedModel) {
  const { graph } = decodeOnnx(model.files.get("model.onnx") as Uint8Array);
  const tensor = graph.initializer.find(({ name }) => name === "axes");
  const [rows, columns] = (tensor?.dims ?? []).map(Number) as [number, number];
  const bytes = Uint8Array.from(tensor?.rawData ?? []);
  return { rows, columns, values: Float64Array.from(new Float32Array(bytes.buffer)) };
}

const cross = [2, 1, 0.5].flatMap((length, at) =>
  [length, -length].map((x) => Float32Array.from({ length: 3 }, (_, d) => (d === at ? x : 0))),
);

test("principal axes are those along which vectors are longest, and keep the share of it that these have", async () => {
  const model = await fitted(cross);
  expect(model.metrics["train/length-kept"]).toBeCloseTo((8 + 2) / 10.5, 6);
  expect([...axesOf(model).values].map((x) => Math.round(Math.abs(x) * 1e6) / 1e6)).toEqual([
    1, 0, 0, 1, 0, 0,
  ]);
  expect(model.manifest).toEqual({ kind: "pca", dimensions: 2, encoder: "e" });
});

test("vectors are not centred: what all have in common is an axis too", async () => {
  const model = await fitted(
    cross.map((vector) => vector.map((x, d) => x + (d === 2 ? 10 : 0))),
    {
      dimensions: 1,
    },
  );
  expect(Math.abs(axesOf(model).values[2] as number)).toBeCloseTo(1, 3);
});

test.for(["pca", "random"] as const)(
  "%s: axes are orthonormal, and what they make is of unit length",
  async (by) => {
    const vectors = vectorsOf(200, 24);
    const model = await fitted(vectors, { by, dimensions: 9 });
    const gram = gramOf(axesOf(model));
    for (const [at, product] of gram.values.entries())
      expect(product).toBeCloseTo(at % 9 === Math.floor(at / 9) ? 1 : 0, 5);
    const { values } = await encodeValues(model, vectors);
    for (let row = 0; row < vectors.length; row += 1)
      expect(Math.hypot(...values.subarray(9 * row, 9 * (row + 1)))).toBeCloseTo(1, 5);
    const kept = model.metrics["train/length-kept"] as number;
    expect(kept).toBeGreaterThan(by === "pca" ? 0.9 : 0.1);
    expect(kept).toBeLessThan(by === "pca" ? 1 : 0.7);
  },
);

test.for(["pca", "random"] as const)("%s: fewer axes are the first of more", async (by) => {
  const vectors = vectorsOf(200, 24);
  const few = axesOf(await fitted(vectors, { by, dimensions: 4 }));
  const more = axesOf(await fitted(vectors, { by, dimensions: 8 }));
  for (const [at, x] of few.values.entries())
    expect(more.values[8 * Math.floor(at / 4) + (at % 4)]).toBeCloseTo(x, 4);
});

test("random axes follow from the seed, principal ones from the vectors", async () => {
  const bytes = async (options: Partial<ProjectionOptions>, vectors = cross) =>
    Buffer.from((await fitted(vectors, options)).files.get("model.onnx") as Uint8Array).toString("hex");
  const random = await bytes({ by: "random" });
  expect(await bytes({ by: "random" }, cross.slice(0, 2))).toBe(random);
  expect(await bytes({ by: "random", seed: 2 })).not.toBe(random);
  expect(await bytes({})).not.toBe(
    await bytes(
      {},
      cross.map((vector) => vector.toReversed()),
    ),
  );
});

test("without enough segments nothing is fitted; those that are all zero say nothing", async () => {
  const zero = new Float32Array(3);
  await expect(fitted([zero, ...cross.slice(0, 1)])).rejects.toMatchObject({
    code: "training_data_invalid",
    message: expect.stringContaining("1 records"),
  });
  await expect(fitted([zero], { by: "random" })).rejects.toMatchObject({ code: "training_data_invalid" });
  expect((await fitted([zero, ...cross])).metrics["train/records"]).toBe(6);
});

test("what is served is what was fitted, and a segment of zeros stays one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "medley-projection-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const directory = join(folder, "run-1");
  const vectors = [...vectorsOf(20, 6), new Float32Array(6)];
  const model = await fitted(vectors, { dimensions: 3 });
  const artefact = await writeArtefact({ directory, run: "run-1", model, card: "" });
  expect(await checkServed(model, vectors, { directory, space: "films.plot", artefact })).toBeLessThan(1e-5);
  const { values } = await encodeValues(model, vectors);
  expect([...values.subarray(60)]).toEqual([0, 0, 0]);
});
