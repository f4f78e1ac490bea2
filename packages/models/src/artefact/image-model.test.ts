import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { modelPath } from "../image/pictures.fixture.ts";
import {
  cutGraph,
  decodeOnnx,
  encodeOnnx,
  nodeOf,
  type OnnxGraph,
  tensorOf,
  valueInfoOf,
} from "../onnx/index.ts";
import { readImageModel } from "./image-model.ts";
import { temporaryFolder } from "./model-folder.fixture.ts";

const processor = { image_processor_type: "ViTImageProcessor", size: { height: 8, width: 8 } };
const float = 1;

/** A model's folder with a graph of one step. */
async function folder(options: {
  input?: readonly (number | string | null)[];
  graph?: Partial<OnnxGraph>;
  config?: object;
  settings?: object;
}): Promise<string> {
  const directory = await temporaryFolder();
  const graph: OnnxGraph = {
    node: [nodeOf("Relu", ["pixels"], "image_embeds")],
    initializer: [],
    input: [valueInfoOf("pixels", { dataType: float, dims: options.input ?? ["batch", 3, 8, 8] })],
    output: [valueInfoOf("image_embeds", { dataType: float, dims: ["batch", 16] })],
    ...options.graph,
  };
  await mkdir(directory, { recursive: true });
  await writeFile(
    join(directory, "model.onnx"),
    encodeOnnx({ irVersion: 8, graph, opsetImport: [{ version: 17n }] }),
  );
  await writeFile(join(directory, "config.json"), JSON.stringify(options.config ?? { model_type: "clip" }));
  await writeFile(join(directory, "preprocessor_config.json"), JSON.stringify(options.settings ?? processor));
  return directory;
}
async function read(options: Parameters<typeof folder>[0], output?: string) {
  return readImageModel(await folder(options), {}, { output });
}
async function failure(options: Parameters<typeof folder>[0], output?: string): Promise<MedleyError> {
  return read(options, output).then(
    () => expect.unreachable("the model was accepted"),
    (error) => error,
  );
}

test("the thin ResNet-50 is read as its files say, and holds no classifier", async () => {
  const model = await readImageModel("thin-resnet-50", {});
  expect(model).toMatchObject({
    kind: "image",
    name: "thin-resnet-50",
    dimensions: 1024,
    input: { name: "input_0", layout: "NHWC", height: 224, width: 224 },
    output: { name: "pooler_output", dimensions: 1024 },
    processor: { flipChannels: true, resize: { to: { height: 256, width: 256 }, kernel: "bilinear" } },
  });
  const { graph } = decodeOnnx(await readFile(model.model.path));
  expect(graph.node.filter(({ opType }) => /Softmax|MatMul|Gemm/.test(opType))).toEqual([]);
});

test.for([
  ["tiny-vit", "last_hidden_state", 32],
  ["tiny-clip", "image_embeds", 24],
  ["tiny-resnet", "pooler_output", 48],
] as const)("%s: its embedding is %s of %i", async ([name, output, dimensions]) => {
  const model = await readImageModel(modelPath(name), {});
  expect(model.output).toEqual({ name: output, dimensions });
  expect(model.input.layout).toBe("NCHW");
});

test("a full CLIP is used by its picture side alone", async () => {
  const graph = {
    node: [nodeOf("Relu", ["pixels"], "image_embeds"), nodeOf("Cast", ["input_ids"], "text_embeds")],
    input: [
      valueInfoOf("input_ids", { dataType: 7, dims: ["batch", "tokens"] }),
      valueInfoOf("pixels", { dataType: float, dims: ["batch", "num_channels", "height", "width"] }),
    ],
    output: ["logits_per_image", "text_embeds", "image_embeds"].map((name) =>
      valueInfoOf(name, { dataType: float, dims: ["batch", null] }),
    ),
  };
  const config = { model_type: "clip", projection_dim: 512, vision_config: { hidden_size: 768 } };
  const directory = await folder({ graph, config });
  const model = await readImageModel(directory, {});
  expect(model.output).toEqual({ name: "image_embeds", dimensions: 512 });
  const cut = decodeOnnx(cutGraph(await readFile(model.model.path), "image_embeds")).graph;
  expect(cut.input.map(({ name }) => name)).toEqual(["pixels"]);
});

test.for([
  ["channels first", ["batch", 3, 8, 8], "Relu", "NCHW"],
  ["channels last", ["batch", 8, 8, 3], "Relu", "NHWC"],
  ["nothing said, read by a convolution", [null, null, null, null], "Conv", "NCHW"],
  ["only a name", ["batch", "num_channels", "height", "width"], "Relu", "NCHW"],
] as const)("layout: %s", async ([, input, opType, layout]) => {
  const model = await read({ input, graph: { node: [nodeOf(opType, ["pixels"], "image_embeds")] } });
  expect(model.input.layout).toBe(layout);
});

test.for([
  ["no dimension is the channels", { input: ["batch", 4, 8, 8] }, "3 channels"],
  ["the sizes differ", { input: ["batch", 3, 16, 16] }, "16 by 16"],
  ["the input is a text", { input: ["batch", "tokens"] }, "rank 4"],
  [
    "pictures of any size",
    {
      settings: { ...processor, image_processor_type: "CLIPImageProcessor", size: 8, do_center_crop: false },
    },
    "keep their shapes",
  ],
  [
    "an unknown processor",
    { settings: { image_processor_type: "OwlViTImageProcessor" } },
    "OwlViTImageProcessor",
  ],
] as const)("refused: %s", async ([, options, named]) => {
  const error = await failure(options as Parameters<typeof folder>[0]);
  expect(error.code).toBe("model_unsupported");
  expect(error.message).toContain(named);
  expect(error.mend).toBeTruthy();
});

test("a classifier is refused with what could be named, and a name that is not there with it too", async () => {
  const graph = {
    node: [
      nodeOf("GlobalAveragePool", ["pixels"], "pooled"),
      nodeOf("Flatten", ["pooled"], "flat"),
      nodeOf("MatMul", ["flat", "weights"], "logits"),
    ],
    initializer: [tensorOf("weights", [64, 2], new Float32Array(128))],
    output: [valueInfoOf("logits", { dataType: float, dims: ["batch", 2] })],
  };
  const config = { model_type: "resnet" };
  for (const error of [await failure({ graph, config }), await failure({ graph, config }, "nope")]) {
    expect(error.code).toBe("model_unsupported");
    expect(error.mend).toContain('"flat" [?,64]');
  }
  expect((await read({ graph, config }, "flat")).output).toEqual({ name: "flat", dimensions: 64 });
});

test("an unknown size of the embedding is refused, the config's counts", async () => {
  const graph = { output: [valueInfoOf("image_embeds", { dataType: float, dims: null })] };
  expect((await failure({ graph })).message).toContain("image_embeds");
  expect((await read({ graph, config: { model_type: "clip", projection_dim: 16 } })).dimensions).toBe(16);
});

test("a missing preprocessor_config.json, and a file that is no model, say so", async () => {
  const error = await readImageModel("all-MiniLM-L6-v2", {}).catch((reason) => reason);
  expect(error).toMatchObject({ code: "model_not_found" });
  expect(error.message).toContain("preprocessor_config.json");
  const directory = await folder({});
  await writeFile(join(directory, "model.onnx"), "no model");
  await expect(readImageModel(directory, {})).rejects.toMatchObject({ code: "model_unsupported" });
});

test("the identity is of all that decides vectors, and of nothing else", async () => {
  const one = await read({});
  const elsewhere = await read({});
  expect(elsewhere.model.path).not.toBe(one.model.path);
  expect(elsewhere.identity).toBe(one.identity);
  const others = [
    await read({ settings: { ...processor, resample: 3 } }),
    await read({ settings: { ...processor, do_flip_channel_order: true } }),
    await read({ settings: { ...processor, image_mean: [0.4, 0.5, 0.5] } }),
    await read({ input: ["batch", 3, "height", "width"] }),
    await readImageModel(modelPath("tiny-vit"), {}),
    await readImageModel(modelPath("tiny-vit"), {}, { output: "pooler_output" }),
  ];
  expect(new Set([one, ...others].map(({ identity }) => identity)).size).toBe(1 + others.length);
});
