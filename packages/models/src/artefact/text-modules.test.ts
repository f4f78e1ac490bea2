import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { modelFolder } from "./model-folder.fixture.ts";
import { readTextModel } from "./text-model.ts";

type Files = Parameters<typeof modelFolder>[0];

const module = (kind: string, path: string) => ({ path, type: `sentence_transformers.models.${kind}` });
const transformer = module("Transformer", "");
const pooling = module("Pooling", "1_Pooling");
const dense = module("Dense", "2_Dense");
const denseConfig = {
  in_features: 384,
  out_features: 64,
  activation_function: "torch.nn.modules.activation.Tanh",
};
const denseFiles = (config: object = denseConfig): Files => ({
  "modules.json": [transformer, pooling, dense],
  "2_Dense/config.json": config,
  "2_Dense/model.safetensors": "weights",
});

async function read(files: Files) {
  return readTextModel(await modelFolder(files), {});
}
async function failure(files: Files): Promise<MedleyError> {
  return read(files).then(
    () => expect.unreachable("the model was accepted"),
    (error) => error,
  );
}

test.for([
  [
    "an unknown module",
    { "modules.json": [transformer, pooling, module("WeightedLayerPooling", "2")] },
    "Weighted",
  ],
  // Code that travels with a model may do anything under a well-known name.
  [
    "another's Transformer",
    { "modules.json": [{ path: "", type: "custom_st.Transformer" }, pooling] },
    "custom_st",
  ],
  ["no pooling", { "modules.json": [transformer] }, "the modules are Transformer"],
  [
    "two poolings, one after the other",
    { "modules.json": [transformer, pooling, pooling] },
    "second Pooling",
  ],
  [
    "a transformer in a folder",
    { "modules.json": [module("Transformer", "0_Transformer"), pooling] },
    "0_Transf",
  ],
  [
    "weighted pooling",
    { "1_Pooling/config.json": { pooling_mode_weightedmean_tokens: true } },
    "weightedmean",
  ],
  [
    "one known pooling and one unknown",
    { "1_Pooling/config.json": { pooling_mode: ["mean", "median"] } },
    "median",
  ],
  ["no pooling mode", { "1_Pooling/config.json": { pooling_mode_mean_tokens: false } }, 'the pooling is ""'],
  [
    "neither modules nor pooling",
    { "modules.json": null, "1_Pooling/config.json": null },
    "the pooling is unknown",
  ],
  ["modules in no known order", { "modules.json": null, "2_Dense/config.json": denseConfig }, "order"],
  ["an unknown activation", denseFiles({ ...denseConfig, activation_function: "acme.Tanh" }), "acme.Tanh"],
  ["another width", denseFiles({ ...denseConfig, in_features: 768 }), "a vector of 384 comes in"],
  ["no width", denseFiles({ in_features: 384 }), "out_features"],
  ["a residual", denseFiles({ ...denseConfig, use_residual: true }), "use_residual"],
  [
    "tokens' vectors",
    denseFiles({ ...denseConfig, module_input_name: "token_embeddings" }),
    "token_embeddings",
  ],
  [
    "a pickle",
    { ...denseFiles(), "2_Dense/model.safetensors": null, "2_Dense/pytorch_model.bin": "pickle" },
    "pytorch_model.bin",
  ],
] as const)("%s: refused", async ([, files, words]) => {
  const error = await failure(files);
  expect(error.code).toBe("model_unsupported");
  expect(error.message).toContain(words);
  expect(error.mend).toBeTruthy();
});

test("weights that are not there", async () => {
  expect(await failure({ ...denseFiles(), "2_Dense/model.safetensors": null })).toMatchObject({
    code: "model_not_found",
  });
});

test("a Dense module decides the dimensions; its weights are part of the identity", async () => {
  const directory = await modelFolder(denseFiles());
  const model = await readTextModel(directory, {});
  expect(model).toMatchObject({ dimensions: 64, hiddenSize: 384 });
  await writeFile(join(directory, "2_Dense/model.safetensors"), "other weights");
  const other = await readTextModel(directory, {});
  const linear = await read(
    denseFiles({ ...denseConfig, activation_function: "torch.nn.modules.linear.Identity" }),
  );
  const none = await read({ "modules.json": [transformer, pooling] });
  expect(new Set([model, other, linear, none].map(({ identity }) => identity)).size).toBe(4);
});

test.for([
  [{ pooling_mode_lasttoken: true }, ["lasttoken"]],
  [{ pooling_mode_mean_tokens: true, pooling_mode_cls_token: true }, ["cls", "mean"]],
  [{ pooling_mode: ["mean", "cls"] }, ["mean", "cls"]],
  [{ pooling_mode: "max", pooling_mode_mean_tokens: true }, ["max"]],
] as const)("pooling %j: %j", async ([config, modes]) => {
  const model = await read({ "1_Pooling/config.json": config });
  expect(model.pooling).toEqual({ modes, includesPrompt: true });
  expect(model.dimensions).toBe(384 * modes.length);
});

test("without modules.json the folder 1_Pooling says how it is pooled", async () => {
  const model = await read({ "modules.json": null, "1_Pooling/config.json": { pooling_mode: "cls" } });
  expect(model).toMatchObject({ pooling: { modes: ["cls"] }, head: [], dimensions: 384 });
});

test("a Dropout does nothing once a model is trained", async () => {
  expect((await read({ "modules.json": [transformer, pooling, module("Dropout", "2")] })).head).toEqual([]);
});
