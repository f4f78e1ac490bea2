import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { readImageModel } from "../artefact/image-model.ts";
import { temporaryFolder } from "../artefact/model-folder.fixture.ts";
import { decodeOnnx, encodeOnnx, nodeOf, type OnnxGraph, tensorOf, valueInfoOf } from "../onnx/index.ts";
import { openSession } from "../runtime/open-session.ts";
import { selectRows, splitRows } from "../runtime/rows.ts";
import { sessionOptions } from "../runtime/session.ts";
import { ImageSession } from "./image-session.ts";
import {
  cosine,
  type ModelName,
  modelNames,
  modelPath,
  openFixture,
  parityPictures,
  picture,
  vectorsOf,
} from "./pictures.fixture.ts";

/** A copy of a tiny model whose graph was changed. */
async function changed(
  name: ModelName,
  change: (graph: OnnxGraph) => void,
  config: object = {},
): Promise<string> {
  const directory = await temporaryFolder();
  const model = decodeOnnx(await readFile(join(modelPath(name), "model.onnx")));
  change(model.graph);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "model.onnx"), encodeOnnx(model));
  for (const file of ["config.json", "preprocessor_config.json"]) {
    const json = JSON.parse(await readFile(join(modelPath(name), file), "utf8"));
    await writeFile(
      join(directory, file),
      JSON.stringify({ ...json, ...(file === "config.json" ? config : {}) }),
    );
  }
  return directory;
}

/** A classifier of 5 classes after a model's embedding; its only output is their shares. */
function classify(graph: OnnxGraph, from: string, width: number, weight = 0.01): void {
  const weights = new Float32Array(width * 5).fill(weight);
  graph.initializer.push(tensorOf("classes", [width, 5], weights));
  graph.node.push(
    nodeOf("Flatten", [from], "features"),
    nodeOf("MatMul", ["features", "classes"], "scores"),
    nodeOf("Softmax", ["scores"], "shares"),
  );
  graph.output = [valueInfoOf("shares", { dataType: 1, dims: ["batch", 5] })];
}

async function failure(attempt: Promise<unknown>): Promise<MedleyError> {
  return attempt.then(
    () => expect.unreachable("it was accepted"),
    (error) => error,
  );
}

test.for(modelNames)(
  "%s: a picture has the same vector alone and in any batch",
  { timeout: 120_000 },
  async (name) => {
    const session = await openFixture(name);
    const names = parityPictures.slice(0, 8);
    const { failures, ...rows } = await session.prepare(names.map(picture), "passage");
    expect(failures).toEqual([]);
    const together = await session.run(rows);
    const alone = await Promise.all(
      splitRows(rows).map(async (row) => (await session.run(selectRows([row], [0]))).vectors.slice()),
    );
    const dimensions = alone[0]?.length as number;
    let farthest = 0;
    alone.forEach((vector, index) => {
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
      for (let d = 0; d < dimensions; d++) {
        farthest = Math.max(
          farthest,
          Math.abs((vector[d] as number) - (together.vectors[index * dimensions + d] as number)),
        );
      }
    });
    console.log(
      `${name}: alone and in a batch of ${names.length} differ by ${farthest.toExponential(1)} at most`,
    );
    expect(farthest).toBeLessThanOrEqual(1e-6);
    expect(together).toMatchObject({
      failed: [],
      paddedValues: rows.values.length,
      usefulValues: rows.values.length,
    });
  },
);

test("a runtime's threads open it by its kind", async () => {
  const session = await openSession(await readImageModel(modelPath("tiny-vit"), {}), "cpu");
  expect(session).toBeInstanceOf(ImageSession);
});

test("nothing to prepare is nothing to run", async () => {
  const session = await openFixture("tiny-vit");
  expect(await session.prepare([], "passage")).toEqual({
    values: new Float32Array(0),
    lengths: new Int32Array(0),
    failures: [],
  });
});

test("a tensor within is the embedding where it is named, and the classifier after it does not run", async () => {
  // Weights of NaN: classes that were computed would be none.
  const directory = await changed("tiny-resnet", (graph) => classify(graph, "pooler_output", 48, Number.NaN));
  const error = await failure(readImageModel(directory, {}));
  expect(error.code).toBe("model_unsupported");
  expect(error.message).toContain("(shares)");
  expect(error.mend).toContain('"output": one of "features" [?,48]');
  const session = await ImageSession.open(
    await readImageModel(directory, {}, { output: "features" }),
    sessionOptions,
  );
  const pictures = [picture("photo.jpg"), picture("grey.jpg")];
  const whole = await vectorsOf(await openFixture("tiny-resnet"), pictures);
  const cut = await vectorsOf(session, pictures);
  cut.forEach((vector, index) => void expect(cosine(vector, whole[index] as Float32Array)).toBeCloseTo(1, 6));
});

test("places are averaged, of tokens the first counts", async () => {
  const pictures = [picture("photo.jpg")];
  const [pooled] = await vectorsOf(await openFixture("tiny-resnet"), pictures);
  const places = await ImageSession.open(
    await readImageModel(modelPath("tiny-resnet"), {}, { output: "last_hidden_state" }),
    sessionOptions,
  );
  const [averaged] = await vectorsOf(places, pictures);
  expect(cosine(pooled as Float32Array, averaged as Float32Array)).toBeCloseTo(1, 6);
  const pooler = await ImageSession.open(
    await readImageModel(modelPath("tiny-vit"), {}, { output: "pooler_output" }),
    sessionOptions,
  );
  const [first] = await vectorsOf(await openFixture("tiny-vit"), pictures);
  const [other] = await vectorsOf(pooler, pictures);
  expect(cosine(first as Float32Array, other as Float32Array)).toBeLessThan(0.9);
});

test("a vector that is not finite, or all zero, is that picture's failure", async () => {
  const session = await openFixture("tiny-clip");
  const { failures: _, ...rows } = await session.prepare(
    [picture("photo.jpg"), picture("grey.jpg")],
    "passage",
  );
  const values = rows.values.slice() as Float32Array;
  values.fill(Number.NaN, 0, values.length / 2);
  const answer = await session.run({ values, lengths: rows.lengths });
  expect(answer.failed).toEqual([0]);
  const good = await session.run(rows);
  expect(answer.vectors.subarray(24)).toEqual(good.vectors.subarray(24));
  const zero = await changed("tiny-resnet", (graph) => {
    graph.initializer.push(tensorOf("nothing", [1], Float32Array.of(0)));
    graph.node.push(nodeOf("Mul", ["pooler_output", "nothing"], "embedding"));
    graph.output = [valueInfoOf("embedding", { dataType: 1, dims: ["batch", 48, 1, 1] })];
  });
  const zeros = await ImageSession.open(
    await readImageModel(zero, {}, { output: "embedding" }),
    sessionOptions,
  );
  const one = await zeros.prepare([picture("photo.jpg")], "passage");
  expect((await zeros.run(one)).failed).toEqual([0]);
});

test("a model whose output is not as its files say is refused when it is opened", async () => {
  const directory = await changed("tiny-vit", (graph) => {
    graph.output = graph.output.map(({ name }) =>
      valueInfoOf(name, { dataType: 1, dims: ["batch", null, 99] }),
    );
  });
  const error = await failure(
    readImageModel(directory, {}).then((model) => ImageSession.open(model, sessionOptions)),
  );
  expect(error.code).toBe("model_unsupported");
});

test("a model that changed since it was read is not opened", async () => {
  const directory = await changed("tiny-vit", () => {});
  const model = await readImageModel(directory, {});
  await writeFile(model.model.path, "another");
  expect((await failure(ImageSession.open(model, sessionOptions))).code).toBe("model_damaged");
});
