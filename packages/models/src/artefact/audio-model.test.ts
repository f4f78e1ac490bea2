import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { AudioSession } from "../audio/audio-session.ts";
import { decodeOnnx, encodeOnnx, nodeOf, type OnnxModel } from "../onnx/onnx-model.ts";
import { valueInfoOf } from "../onnx/value-info.ts";
import { sessionOptions } from "../runtime/session.ts";
import { readAudioModel } from "./audio-model.ts";
import { temporaryFolder } from "./model-folder.fixture.ts";

const reference = join(import.meta.dirname, "../audio/reference");

interface Changes {
  readonly "config.json"?: object | null;
  readonly "preprocessor_config.json"?: object | null;
  readonly graph?: (model: OnnxModel) => void;
}

/** A copy of a tiny Wav2Vec2 with some settings replaced (`undefined` ones left out; `null`: no such file). */
async function changed(kind: "group" | "layer", changes: Changes = {}): Promise<string> {
  const directory = await temporaryFolder();
  for (const name of ["config.json", "preprocessor_config.json"] as const) {
    if (changes[name] === null) continue;
    const json = JSON.parse(await readFile(join(reference, `wav2vec2-${kind}`, name), "utf8"));
    await writeFile(join(directory, name), JSON.stringify({ ...json, ...changes[name] }));
  }
  const from = join(reference, `wav2vec2-${kind}`, "model.onnx");
  if (changes.graph === undefined) await copyFile(from, join(directory, "model.onnx"));
  else {
    const model = decodeOnnx(await readFile(from));
    changes.graph(model);
    await writeFile(join(directory, "model.onnx"), encodeOnnx(model));
  }
  return directory;
}

test("a model that normalises over time, as wav2vec2-base", async () => {
  const model = await readAudioModel(await changed("group"), {});
  expect(model).toMatchObject({
    kind: "audio",
    dimensions: 32,
    sampleRate: 16_000,
    secondsMax: 30,
    normalises: true,
    paddingValue: 0,
    sharesBatches: "equal length",
    samplesInput: "input_values",
    takesMask: false,
    output: { name: "last_hidden_state", of: "frames" },
  });
  expect(model.convolutions).toHaveLength(7);
  expect(model.convolutions[0]).toEqual({ kernel: 10, stride: 5 });
});

test("a model that takes a mask, as wav2vec2-large-lv60", async () => {
  expect(await readAudioModel(await changed("layer"), {})).toMatchObject({
    sharesBatches: "padded",
    takesMask: true,
  });
});

test("padded batches need all three: frames by layer norm, a mask that is asked for, and one that is taken", async () => {
  const noMask = { "preprocessor_config.json": { return_attention_mask: false } };
  expect((await readAudioModel(await changed("layer", noMask), {})).sharesBatches).toBe("equal length");
  const asksMask = { "preprocessor_config.json": { return_attention_mask: true } };
  expect((await readAudioModel(await changed("group", asksMask), {})).sharesBatches).toBe("equal length");
});

test("the bundled voice model", async () => {
  expect(await readAudioModel("ge2e-voice", {})).toMatchObject({
    dimensions: 256,
    sharesBatches: "equal length",
    normalises: false,
  });
});

test("identity follows what decides vectors, not where the files are", async () => {
  const identity = async (changes: Changes = {}, options = {}) =>
    (await readAudioModel(await changed("layer", changes), {}, options)).identity;
  const base = await identity();
  expect(await identity()).toBe(base);
  expect(await identity({}, { secondsMax: 30 })).toBe(base);
  expect(await identity({}, { secondsMax: 10 })).not.toBe(base);
  expect(await identity({ "preprocessor_config.json": { do_normalize: false } })).not.toBe(base);
  expect(await identity({ "preprocessor_config.json": { sampling_rate: 8_000 } })).not.toBe(base);
});

function addMean(model: OnnxModel): void {
  const axes = { name: "axes", type: 7, ints: [1n], floats: [], strings: [] };
  const keepdims = { name: "keepdims", type: 2, i: 0n, ints: [], floats: [], strings: [] };
  model.graph.node.push(nodeOf("ReduceMean", ["last_hidden_state"], "embedding", [axes, keepdims]));
  model.graph.output.push(valueInfoOf("embedding", { dataType: 1, dims: ["batch", 32] }));
}

test("an output by name: a vector per clip", async () => {
  const model = await readAudioModel(await changed("group", { graph: addMean }), {}, { output: "embedding" });
  expect(model.output).toEqual({ name: "embedding", of: "clip" });
  const frames = await readAudioModel(await changed("group", { graph: addMean }), {});
  expect(model.identity).not.toBe(frames.identity);
  const rows = {
    values: Float32Array.from({ length: 900 }, (_, i) => Math.sin(i * i)),
    lengths: Int32Array.of(900),
  };
  const [a, b] = await Promise.all(
    [model, frames].map(async (each) => (await AudioSession.open(each, sessionOptions)).run(rows)),
  );
  expect(a?.vectors.length).toBe(32);
  a?.vectors.forEach((x, i) => {
    expect(x).toBeCloseTo(b?.vectors[i] as number, 5);
  });
});

async function failure(run: Promise<unknown>): Promise<MedleyError> {
  return run.then(
    () => expect.unreachable(),
    (error) => error,
  );
}

test.for([
  ["config.json", { model_type: "whisper" }, '"model_type" is "whisper"'],
  ["config.json", { feat_extract_norm: "batch" }, '"feat_extract_norm" is "batch"'],
  ["config.json", { feat_extract_norm: undefined }, '"feat_extract_norm" is undefined'],
  ["config.json", { conv_stride: [5] }, '"conv_kernel" and "conv_stride"'],
  ["config.json", { conv_kernel: undefined }, '"conv_kernel" and "conv_stride"'],
  ["config.json", { add_adapter: true }, "an adapter changes the number of frames"],
  [
    "preprocessor_config.json",
    { feature_extractor_type: "WhisperFeatureExtractor" },
    "WhisperFeatureExtractor",
  ],
  ["preprocessor_config.json", { feature_size: 80 }, '"feature_size" is 80'],
  ["preprocessor_config.json", { padding_side: "left" }, '"padding_side" is "left"'],
  ["preprocessor_config.json", { sampling_rate: 1_000 }, '"sampling_rate" is 1000'],
  ["preprocessor_config.json", { sampling_rate: "16k" }, '"sampling_rate" is "16k"'],
  ["preprocessor_config.json", { do_normalize: "yes" }, '"do_normalize" is "yes"'],
  ["preprocessor_config.json", { padding_value: null }, '"padding_value" is null'],
  ["preprocessor_config.json", { mel_bins: 80 }, '"mel_bins" is not known'],
] as const)("%s with %o is refused", async ([file, settings, reason]) => {
  const error = await failure(readAudioModel(await changed("group", { [file]: settings }), {}));
  expect(error.code).toBe("model_unsupported");
  expect(error.message).toContain(reason);
  expect(error.message).toContain(file);
  expect(error.mend).toBeDefined();
});

test.for(["config.json", "preprocessor_config.json"] as const)("without %s it is not found", async (file) => {
  const error = await failure(readAudioModel(await changed("group", { [file]: null }), {}));
  expect(error.code).toBe("model_not_found");
  expect(error.message).toContain(file);
});

test("a graph that takes anything else is refused", async () => {
  const graph = (model: OnnxModel) => {
    model.graph.input.push(valueInfoOf("speaker", { dataType: 1, dims: [1] }));
  };
  const error = await failure(readAudioModel(await changed("group", { graph }), {}));
  expect(error.message).toContain("its inputs are input_values, speaker");
});

test("an output that is not there is refused, and the others are named", async () => {
  const error = await failure(
    readAudioModel(await changed("group", { graph: addMean }), {}, { output: "logits" }),
  );
  expect(error.message).toContain('no output "logits"');
  expect(error.mend).toContain("last_hidden_state, extract_features, embedding");
});

test("bytes that are no ONNX model are refused", async () => {
  const directory = await changed("group");
  await writeFile(join(directory, "model.onnx"), "no model");
  expect((await failure(readAudioModel(directory, {}))).code).toBe("model_unsupported");
});

test("a size or number of frames that is not what the files say is refused when it is opened", async () => {
  const wrongSize = await readAudioModel(await changed("group", { "config.json": { hidden_size: 31 } }), {});
  const graphSays = wrongSize.dimensions === 32; // The graph's own size counts where it declares one.
  const opening = AudioSession.open(
    { ...wrongSize, dimensions: graphSays ? 31 : wrongSize.dimensions },
    sessionOptions,
  );
  expect((await failure(opening)).message).toContain("not float32[1,frames,31]");
  const strides = { "config.json": { conv_stride: [5, 2, 2, 2, 2, 2, 1] } };
  const wrongFrames = await readAudioModel(await changed("layer", strides), {});
  expect((await failure(AudioSession.open(wrongFrames, sessionOptions))).message).toContain(
    "the output is float32[1,49,32]",
  );
});

test("a file that changed since it was read is refused", async () => {
  const directory = await changed("group");
  const model = await readAudioModel(directory, {});
  await writeFile(join(directory, "model.onnx"), "changed");
  expect((await failure(AudioSession.open(model, sessionOptions))).code).toBe("model_damaged");
});
