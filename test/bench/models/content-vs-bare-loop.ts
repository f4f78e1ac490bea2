import { strict as assert } from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Encoder } from "@medley/core";
import { ContentReader, openModelRuntime } from "@medley/models";
import { BareThreads } from "../bare-threads.ts";
import { cosine } from "../cosine.ts";
import { duel, secondsOf } from "../duel.ts";
import type { Measurement } from "../measurement.ts";
import type { BareClipsStart } from "../rivals/bare-clips.ts";
import type { BarePicturesStart } from "../rivals/bare-pictures.ts";

const rounds = 5;
const goalRatio = 0.9;
const require = createRequire(import.meta.url);
const pictures = join(dirname(require.resolve("@medley/models")), "../fixtures/image/pictures");

/** Pictures and clips from files to vectors, against bare loops over the same files. */
export async function run(): Promise<Measurement[]> {
  const folder = await mkdtemp(join(tmpdir(), "medley-bench-"));
  try {
    return [
      await picturesOf("240 x 160 to 480 x 320, JPEG and WebP", photographs, 48),
      await picturesOf("2,400 x 1,800 JPEG", ["large.jpg"], 24),
      await clips(folder),
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** As they come from cameras and the web: colour, without alpha or a turn, which the bare loop leaves out. */
const photographs = [
  "photo.jpg",
  "coffee.webp",
  "astronaut.webp",
  "chelsea.webp",
  "china.webp",
  "rocket.webp",
  "lossless.webp",
];

async function picturesOf(title: string, names: readonly string[], count: number): Promise<Measurement> {
  await using runtime = openModelRuntime({ environment: {} });
  await using content = new ContentReader({ folder: pictures, hosts: [] });
  const encoder = await runtime.imageEncoder("thin-resnet-50", { content });
  const values = Array.from({ length: count }, (_, index) => names[index % names.length] as string);
  const start: BarePicturesStart = {
    modelPath: modelPath("@medley/model-thin-resnet-50"),
    paths: values.map((name) => join(pictures, name)),
    mean: [104, 117, 123],
    resized: 256,
    cropped: 224,
  };
  return await fightOf(
    `pictures / bare sharp + onnxruntime-node loop, ${title}`,
    encoder,
    values,
    "bare-pictures.ts",
    {
      start: { ...start },
      // sharp's linear kernel is not Pillow's, which the model's files ask for.
      cosineMin: 0.97,
      threads: runtime.threads,
    },
  );
}

async function clips(folder: string): Promise<Measurement> {
  const names = Array.from({ length: 32 }, (_, index) => `${index}.wav`);
  for (const [index, name] of names.entries()) await writeFile(join(folder, name), wavOf(4, index));
  await using runtime = openModelRuntime({ environment: {} });
  await using content = new ContentReader({ folder, hosts: [] });
  const encoder = await runtime.audioEncoder("ge2e-voice", { content });
  const start: BareClipsStart = {
    modelPath: modelPath("@medley/model-ge2e-voice"),
    paths: names.map((name) => join(folder, name)),
  };
  return await fightOf("clips / bare onnxruntime-node loop, 4 s of WAV", encoder, names, "bare-clips.ts", {
    start: { ...start },
    cosineMin: 0.9999,
    threads: runtime.threads,
  });
}

async function fightOf(
  name: string,
  encoder: Encoder,
  values: readonly string[],
  program: string,
  { start, cosineMin, threads }: { start: Record<string, unknown>; cosineMin: number; threads: number },
): Promise<Measurement> {
  await using bare = await BareThreads.start<Float32Array>(program, threads, start);
  const fight = await duel(
    rounds,
    () => secondsOf(() => encoder.encode(values)),
    () => secondsOf(() => bare.round()),
  );
  const results = await encoder.encode(values);
  const theirs = await bare.check();
  const least = Math.min(
    ...results.map((result, index) => {
      assert(result.ok);
      return cosine(result.value, theirs.get(index) as Float32Array);
    }),
  );
  assert(least >= cosineMin, `${name}: the two sides' vectors differ: cosine ${least}`);
  const perSecond = (seconds: number) => (values.length / seconds).toFixed(1);
  return {
    name,
    value: fight.ratio,
    goal: `at least ${goalRatio}`,
    met: fight.ratio >= goalRatio,
    detail:
      `${values.length} files, ${availableParallelism()} threads: ours ${perSecond(fight.oursSeconds)}, bare ` +
      `${perSecond(fight.theirsSeconds)} a second; ratio ${fight.ratioMin.toFixed(3)} to ${fight.ratioMax.toFixed(3)} by round; ` +
      `least cosine ${least.toFixed(4)}`,
  };
}

function modelPath(packageName: string): string {
  return join(dirname(require.resolve(`${packageName}/package.json`)), "onnx/model.onnx");
}

/** Speech-like noise: a tone that changes its pitch, and some hiss. */
function wavOf(seconds: number, seed: number): Buffer {
  const samples = seconds * 16_000;
  const bytes = Buffer.alloc(44 + 2 * samples);
  bytes.write("RIFF", 0);
  bytes.writeUInt32LE(36 + 2 * samples, 4);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(16_000, 24);
  bytes.writeUInt32LE(32_000, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36);
  bytes.writeUInt32LE(2 * samples, 40);
  for (let i = 0; i < samples; i++) {
    const pitch = 120 + 40 * Math.sin(i / 9_000 + seed);
    const hiss = Math.sin(i * 12.9898 * (seed + 1)) * 43_758.5453;
    const value = 0.3 * Math.sin((2 * Math.PI * pitch * i) / 16_000) + 0.02 * (hiss - Math.floor(hiss));
    bytes.writeInt16LE(Math.round(value * 32_767), 44 + 2 * i);
  }
  return bytes;
}
