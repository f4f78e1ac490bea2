import { createHash } from "node:crypto";
import { cp, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { tinyHiddenSize, tinyModel } from "../text/tiny-model.fixture.ts";
import { readPinned } from "./files.ts";
import { emptyModel, modelFolder, temporaryFolder } from "./model-folder.fixture.ts";
import { readTextModel } from "./text-model.ts";

const none = { pooling_mode_cls_token: false, pooling_mode_mean_tokens: false };

async function read(files: Parameters<typeof modelFolder>[0]) {
  return readTextModel(await modelFolder(files), {});
}
async function failure(files: Parameters<typeof modelFolder>[0]): Promise<MedleyError> {
  return read(files).then(
    () => expect.unreachable("the model was accepted"),
    (error) => error,
  );
}

test("the bundled model is used as its files say", async () => {
  const model = await readTextModel("all-MiniLM-L6-v2", {});
  expect(model).toMatchObject({
    dimensions: 384,
    vocabularySize: 30522,
    hiddenSize: 384,
    pooling: { modes: ["mean"], includesPrompt: true },
    head: [],
    tokensMax: 256,
    padId: 0,
  });
  expect(model).toMatchObject({ lowerCase: false, passagePrompt: "", queryPrompt: "" });
  const bytes = await readFile(model.model.path);
  expect(bytes.length).toBeLessThanOrEqual(25_000_000);
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(model.model.sha256);
});

test.for([
  "onnx/model.onnx",
  "tokenizer.json",
  "config.json",
  "modules.json",
  "1_Pooling/config.json",
  "sentence_bert_config.json",
  "tokenizer_config.json",
])("one flipped bit in %s of the bundled model is found", async (name) => {
  const bundled = dirname((await readTextModel("all-MiniLM-L6-v2", {})).tokenizer.path);
  const directory = await temporaryFolder();
  await cp(bundled, directory, { recursive: true });
  const path = join(directory, name);
  const bytes = await readFile(path);
  const right = createHash("sha256").update(bytes).digest("hex");
  bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] as number) ^ 1;
  await writeFile(path, bytes);
  const wrong = createHash("sha256").update(bytes).digest("hex");
  const error: MedleyError = await readTextModel(directory, {}).catch((reason) => reason);
  expect(error.code).toBe("model_damaged");
  expect(error.message).toBe(`${path}: expected sha256 ${right}, got ${wrong}`);
});

test("a file that the manifest lists is missing, or one is used that it does not list", async () => {
  const listed = await failure({
    "manifest.json": { files: { "onnx/model.onnx_data": { sha256: "00".repeat(32) } } },
  });
  expect(listed).toMatchObject({ code: "model_damaged" });
  const unlisted = await failure({ "manifest.json": { files: {} } });
  expect(unlisted.code).toBe("model_damaged");
  expect(unlisted.message).toContain("a file that manifest.json does not list");
});

test("a file that changed after it was pinned is not loaded", async () => {
  const { tokenizer } = await read({});
  await writeFile(tokenizer.path, "{}");
  expect(() => readPinned(tokenizer)).toThrow(tokenizer.sha256);
});

test.for([
  ["no hidden size", { "config.json": { vocab_size: 30522 } }, "hidden_size"],
  [
    "cutting texts at their start",
    { "tokenizer_config.json": { truncation_side: "left" } },
    "truncation_side",
  ],
  [
    "a task that is not embedding",
    { "sentence_bert_config.json": { transformer_task: "text-generation" } },
    "transformer_task",
  ],
  [
    "a default prompt that is not there",
    { "config_sentence_transformers.json": { prompts: {}, default_prompt_name: "retrieval" } },
    '"retrieval"',
  ],
] as const)("%s is refused", async ([, files, words]) => {
  const error = await failure(files);
  expect(error.code).toBe("model_unsupported");
  expect(error.message).toContain(words);
  expect(error.mend).toBeTruthy();
});

test.for(["config.json", "1_Pooling/config.json", "tokenizer.json"])("without %s", async (name) => {
  expect(await failure({ [name]: null })).toMatchObject({ code: "model_not_found" });
});

test("JSON that is none", async () => {
  expect(await failure({ "config.json": "{" })).toMatchObject({ code: "model_damaged" });
});

test.for([
  [{ max_seq_length: 128 }, {}, 128],
  [{ max_seq_length: 1024 }, {}, 512],
  [{}, { model_max_length: 64 }, 64],
  [{ max_seq_length: null }, { model_max_length: 64 }, 64],
  [{}, { model_max_length: 1e30 }, 512],
] as const)("limits %j, %j: %i tokens", async ([transformerConfig, tokenizerConfig, expected]) => {
  const files = { "sentence_bert_config.json": transformerConfig, "tokenizer_config.json": tokenizerConfig };
  expect((await read(files)).tokensMax).toBe(expected);
});

test("a RoBERTa keeps positions for itself", async () => {
  const config = { model_type: "xlm-roberta", max_position_embeddings: 514, pad_token_id: 1 };
  const files = {
    "config.json": { ...config, hidden_size: 8, vocab_size: 9 },
    "sentence_bert_config.json": null,
  };
  expect(await read({ ...files, "tokenizer_config.json": null })).toMatchObject({ tokensMax: 512, padId: 1 });
});

/** `doc_string: "A"` of an ONNX file: the same model in other bytes. */
const docString = Uint8Array.of((6 << 3) | 2, 1, 65);

test("identity changes exactly when stored vectors would", async () => {
  const plain = await read({});
  expect((await read({})).identity).toBe(plain.identity);
  const prompts = (given: object) => ({ "config_sentence_transformers.json": { prompts: given } });
  const query = await read(prompts({ query: "find: " }));
  expect(query).toMatchObject({ queryPrompt: "find: ", passagePrompt: "", identity: plain.identity });
  const others = [
    await read(prompts({ passage: "text: " })),
    await read({ "1_Pooling/config.json": { ...none, pooling_mode_cls_token: true } }),
    await read({ "sentence_bert_config.json": { max_seq_length: 255 } }),
    await read({ "sentence_bert_config.json": { max_seq_length: 256, do_lower_case: true } }),
    await read({ "onnx/model.onnx": Buffer.concat([emptyModel, docString]) }),
  ];
  expect(new Set([plain, ...others].map(({ identity }) => identity)).size).toBe(6);
});

test("older and other families' names of the same files and sizes", async () => {
  const model = await read({
    "sentence_bert_config.json": null,
    "sentence_roberta_config.json": { max_seq_length: 33, do_lower_case: true },
    "config.json": { dim: 768, vocab_size: 30522 },
  });
  expect(model).toMatchObject({ tokensMax: 33, lowerCase: true, hiddenSize: 768, dimensions: 768 });
});

test("an int8 export that is chosen on purpose runs one text at a time", async () => {
  const dynamic = tinyModel({ quantises: true });
  const directory = await modelFolder({
    "config.json": { hidden_size: tinyHiddenSize, vocab_size: 30_522 },
    "onnx/model.onnx": dynamic,
    "onnx/model_quantized.onnx": dynamic,
    "onnx/model_int8.onnx": emptyModel,
  });
  expect(await readTextModel(`${directory}#quantized`, {})).toMatchObject({ rowsPerBatchMax: 1 });
  // Not chosen on purpose: its session refuses it. Only stored as int8: nothing to bound.
  expect((await readTextModel(directory, {})).rowsPerBatchMax).toBeUndefined();
  expect((await readTextModel(`${directory}#int8`, {})).rowsPerBatchMax).toBeUndefined();
});

test("the prompt of documents is that of passages; a default prompt is for both", async () => {
  const named = { prompts: { document: "doc: ", query: "q: " } };
  expect(await read({ "config_sentence_transformers.json": named })).toMatchObject({
    passagePrompt: "doc: ",
    queryPrompt: "q: ",
  });
  const usual = { prompts: { all: "x: " }, default_prompt_name: "all" };
  expect(await read({ "config_sentence_transformers.json": usual })).toMatchObject({
    passagePrompt: "x: ",
    queryPrompt: "x: ",
  });
});
